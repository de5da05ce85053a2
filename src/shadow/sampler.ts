/** Takes a share of what comes, at random and repeatably: the same seed takes the same ones. Loop only. */
export class Sampler {
  private readonly threshold: number;
  private state: number;

  constructor(percent: number, seed: number) {
    this.threshold = (percent / 100) * 2 ** 32;
    this.state = seed >>> 0;
  }

  /** A counter through a mixing of bits (splitmix32): any seed will do, 0 too. */
  takes(): boolean {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let bits = this.state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return (bits ^ (bits >>> 15)) >>> 0 < this.threshold;
  }
}
