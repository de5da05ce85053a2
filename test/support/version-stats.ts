/**
 * Statistics of a version that nobody asked, and such as a test fills in.
 */
import { RELEASES, type VersionStats } from '../../src/core/version-stats.js';

export function emptyStats(filled: Partial<VersionStats> = {}): VersionStats {
  return {
    protocols: [],
    errors: new Float64Array(32),
    releases: new Float64Array(RELEASES.length),
    batchSizes: [],
    paddedElements: 0,
    paddingElements: 0,
    okRows: 0,
    failedRuns: 0,
    waiting: 0,
    inFlight: 0,
    lastOkMs: 0,
    hungRuns: 0,
    isHung: false,
    slabBytes: 0,
    lastFailure: '',
    ...filled,
  };
}
