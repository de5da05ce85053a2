/**
 * Whether a page may open a WebSocket: browsers let any page try, and only tell from where it is. Pure.
 */
export class OriginRule {
  private readonly allowed: ReadonlySet<string>;

  /**
   * `setting`: origins such as `https://app.example`, separated by commas or spaces; `*` allows every page. `isOwnHost`: whether
   * a Host header is one of this server's names: a page may point a name of its own here, and then says it in both headers.
   */
  constructor(
    setting: string,
    private readonly isOwnHost: (host: string) => boolean,
  ) {
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
    return own !== '' && this.isOwnHost(host) && (spelt === `http://${own}` || spelt === `https://${own}`);
  }
}
