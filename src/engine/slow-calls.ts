/**
 * Calls of the addon that answer a promise: loads, closes and the like, which run off the loop. Their promises settle through
 * the pump of answers, which does not keep the process alive by itself.
 */
import { fromAddonError } from './addon.js';

const LONG_MS = 1 << 30;

export class SlowCalls {
  private readonly pending = new Set<Promise<unknown>>();

  async run<T>(call: () => Promise<T>): Promise<T> {
    const keepAlive = setInterval(() => undefined, LONG_MS);
    let called: Promise<T> | undefined;
    try {
      called = call();
      this.pending.add(called);
      return await called;
    } catch (cause) {
      throw fromAddonError(cause);
    } finally {
      clearInterval(keepAlive);
      if (called !== undefined) this.pending.delete(called);
    }
  }

  /** Whatever was under way has come to its end, and what began meanwhile, too. */
  async settled(): Promise<void> {
    while (this.pending.size > 0) await Promise.allSettled(this.pending);
  }
}
