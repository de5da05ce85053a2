/**
 * One listener per signal, however many calls share it: platforms warn where a signal has more than a few.
 */
const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `act` once when the signal is aborted; answers what takes that back. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  let acts = watched.get(signal);
  if (acts === undefined) {
    const all = new Set<() => void>();
    watched.set(signal, all);
    signal.addEventListener(
      'abort',
      () => {
        for (const each of [...all]) each();
      },
      { once: true },
    );
    acts = all;
  }
  const acting = acts;
  acting.add(act);
  return () => {
    acting.delete(act);
  };
}
