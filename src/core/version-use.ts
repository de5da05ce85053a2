/**
 * Counts the requests that have chosen a model version and not yet handed their bodies to the engine: from then on the
 * engine counts them itself. A version is closed only when nobody holds it. Lives on the loop.
 */
export class VersionUse {
  private holders = 0;
  private whenFree: (() => void) | undefined;

  get isFree(): boolean {
    return this.holders === 0;
  }

  take(): void {
    this.holders += 1;
  }

  release(): void {
    this.holders -= 1;
    if (this.holders === 0 && this.whenFree !== undefined) this.whenFree();
  }

  /** Resolves when nobody holds the version. For the one who closes it, after it has left the snapshot. */
  freed(): Promise<void> {
    if (this.holders === 0) return Promise.resolve();
    return new Promise((resolve) => (this.whenFree = resolve));
  }
}
