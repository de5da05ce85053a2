/**
 * The newest traced request of each bucket of each version, for OpenMetrics: from a bar of a board to a trace. Only sampled
 * requests come here, so it costs nothing without tracing. What belongs to versions that are gone goes with them.
 */
import type { VersionEntry } from '../core/snapshot.js';
import type { VersionUse } from '../core/version-use.js';
import type { Protocol } from '../core/version-stats.js';
import { octaveOf } from './sample-text.js';
import type { Exemplar } from './family.js';

interface Traced {
  /** How many were noted. */
  count: number;
  readonly byProtocol: Map<Protocol, Array<Exemplar | undefined>>;
}

export class Exemplars {
  /** By what is the same in every picture of one load. */
  private readonly byVersion = new WeakMap<VersionUse, Traced>();

  note(version: VersionEntry, protocol: Protocol, traceId: string, seconds: number, atMs: number): void {
    let traced = this.byVersion.get(version.use);
    if (traced === undefined)
      this.byVersion.set(version.use, (traced = { count: 0, byProtocol: new Map<Protocol, Exemplar[]>() }));
    let byOctave = traced.byProtocol.get(protocol);
    if (byOctave === undefined) traced.byProtocol.set(protocol, (byOctave = []));
    byOctave[octaveOf(seconds)] = { traceId, seconds, atMs };
    traced.count += 1;
  }

  of(version: VersionEntry, protocol: Protocol): ReadonlyArray<Exemplar | undefined> | undefined {
    return this.byVersion.get(version.use)?.byProtocol.get(protocol);
  }

  /** Grows with every one that is noted. */
  countOf(version: VersionEntry): number {
    return this.byVersion.get(version.use)?.count ?? 0;
  }
}
