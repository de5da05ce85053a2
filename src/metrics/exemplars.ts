/**
 * The newest traced request of each bucket of each version, for OpenMetrics: from a bar of a board to a trace. Only sampled
 * requests come here, so it costs nothing without tracing. What belongs to versions that are gone goes with them.
 */
import type { VersionEntry } from '../core/snapshot.js';
import type { VersionUse } from '../core/version-use.js';
import type { Protocol } from '../core/version-stats.js';
import { octaveOf } from './exposition.js';
import type { Exemplar } from './family.js';

export class Exemplars {
  /** By what is the same in every picture of one load. */
  private readonly byVersion = new WeakMap<VersionUse, Map<Protocol, Array<Exemplar | undefined>>>();

  note(version: VersionEntry, protocol: Protocol, traceId: string, seconds: number, atMs: number): void {
    let byProtocol = this.byVersion.get(version.use);
    if (byProtocol === undefined)
      this.byVersion.set(version.use, (byProtocol = new Map<Protocol, Array<Exemplar | undefined>>()));
    let byOctave = byProtocol.get(protocol);
    if (byOctave === undefined) byProtocol.set(protocol, (byOctave = []));
    byOctave[octaveOf(seconds)] = { traceId, seconds, atMs };
  }

  of(version: VersionEntry, protocol: Protocol): ReadonlyArray<Exemplar | undefined> | undefined {
    return this.byVersion.get(version.use)?.get(protocol);
  }
}
