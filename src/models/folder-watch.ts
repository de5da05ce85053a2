/**
 * Remembers how folders looked at earlier passes, so that one that is still being copied is not taken: it is taken when it
 * came whole by a rename, or when it looked the same for a while. Times come from outside.
 */
interface Seen {
  fingerprint: string;
  sinceMs: number;
}

export class FolderWatch {
  private readonly seen = new Map<string, Seen>();
  private readonly tried = new Map<string, string>();

  constructor(
    private readonly settleMs: number,
    private readonly nowMs: () => number,
  ) {}

  /** Whether what lies at `place` may be taken now. */
  isSettled(place: string, look: { readonly fingerprint: string; readonly cameWhole: boolean }): boolean {
    const now = this.nowMs();
    const before = this.seen.get(place);
    if (before === undefined || before.fingerprint !== look.fingerprint) {
      this.seen.set(place, { fingerprint: look.fingerprint, sinceMs: now });
      return look.cameWhole;
    }
    return look.cameWhole || now - before.sinceMs >= this.settleMs;
  }

  /** False where exactly this was tried before. */
  isNew(place: string, fingerprint: string): boolean {
    return this.tried.get(place) !== fingerprint;
  }

  note(place: string, fingerprint: string): void {
    this.tried.set(place, fingerprint);
  }

  forget(place: string): void {
    this.seen.delete(place);
    this.tried.delete(place);
  }
}
