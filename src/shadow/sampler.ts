/**
 * Takes a share of what comes, at random and repeatably: the same seed takes the same ones. Each is taken or not
 * independently of all others, so the number passed over between two is geometric; as that is drawn at once, passing one over is
 * a subtraction. Loop only.
 */
export class Sampler {
  private readonly logOfRest: number;
  private state: number;
  private left: number;

  constructor(percent: number, seed: number) {
    this.logOfRest = Math.log1p(-percent / 100);
    this.state = seed | 0;
    this.left = this.gap();
  }

  takes(): boolean {
    if (this.left > 0) {
      this.left -= 1;
      return false;
    }
    this.left = this.gap();
    return true;
  }

  /** How many are passed over before the next one: none of 100 %, all of 0 %. */
  private gap(): number {
    const { logOfRest } = this;
    return logOfRest === 0 ? Infinity : Math.floor(Math.log(this.drawn()) / logOfRest);
  }

  /** Between 0 and 1, neither of them: a counter through a mixing of bits (splitmix32); any seed will do, 0 too. */
  private drawn(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let bits = this.state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return (((bits ^ (bits >>> 15)) >>> 0) + 0.5) / 2 ** 32;
  }
}
