/**
 * Whether a page may open a WebSocket: browsers let any page try, and only tell from where it is. Pure.
 */
export class OriginRule {
  private readonly allowed: ReadonlySet<string>;

  /** `setting`: origins such as `https://app.example`, separated by commas or spaces; `*` allows every page. */
  constructor(setting: string) {
    this.allowed = new Set(
      setting
        .toLowerCase()
        .split(/[\s,]+/)
        .filter((word) => word !== ''),
    );
  }

  /** `origin` and `host` are header values, '' where absent. Pages of the server's own address are always allowed. */
  allows(origin: string, host: string): boolean {
    if (origin === '' || this.allowed.has('*')) return true;
    const spelt = origin.toLowerCase();
    if (this.allowed.has(spelt)) return true;
    const own = host.toLowerCase();
    return own !== '' && (spelt === `http://${own}` || spelt === `https://${own}`);
  }
}
