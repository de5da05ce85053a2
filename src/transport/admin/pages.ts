/**
 * The rows of the admin table that every server has: metrics, health, and the models with what is known about each version.
 */
import type { Snapshot, VersionEntry } from '../../core/snapshot.js';
import { summarise, type VersionStats } from '../../core/version-stats.js';
import type { Metadata } from '../../serving/metadata.js';
import { jsonReply } from '../../serving/replies.js';
import { adminRoute, type AdminRoute } from './route.js';

export interface AdminSources {
  readonly metadata: Metadata;
  readonly models: { readonly snapshot: Snapshot };
  /** Prometheus text or OpenMetrics, as the accept header asks. */
  readonly metrics: {
    scrape(accept: string): Promise<{ readonly contentType: string; readonly body: readonly Uint8Array[] }>;
  };
  statsOf(version: VersionEntry): VersionStats | undefined;
}

export function adminPages(sources: AdminSources): AdminRoute[] {
  const { metadata, models, metrics } = sources;
  return [
    adminRoute({
      method: 'GET',
      path: '/metrics',
      scope: 'metrics',
      summary: 'Every metric of the server, for Prometheus',
      replyType: 'text/plain',
      run: async ({ headers }) => {
        const { contentType, body: pieces } = await metrics.scrape(headers.accept);
        const [body = '', ...more] = pieces;
        return { status: 200, contentType, headLength: 0, body, more };
      },
    }),
    adminRoute({
      method: 'GET',
      path: '/v2/health/live',
      scope: 'open',
      summary: 'Whether the process answers',
      run: () => metadata.live(),
    }),
    adminRoute({
      method: 'GET',
      path: '/v2/health/ready',
      scope: 'open',
      summary: 'Whether the server takes requests',
      run: () => metadata.ready(),
    }),
    adminRoute({
      method: 'GET',
      path: '/models',
      summary: 'The models, their versions, states and counts',
      run: () => jsonReply({ models: modelTable(models.snapshot, sources) }),
    }),
  ];
}

function modelTable(snapshot: Snapshot, sources: AdminSources): object[] {
  return [...snapshot.models.values()].map((model) => ({
    name: model.name,
    platform: model.platform,
    isReady: model.isReady,
    reason: model.reason,
    defaultVersion: model.defaultVersion?.version,
    pinnedVersion: model.pinnedVersion,
    versions: [...model.versions.values()].map((version) => versionRow(version, sources)),
  }));
}

function versionRow(version: VersionEntry, sources: AdminSources): object {
  const { plan, report } = version;
  const stats = sources.statsOf(version);
  return {
    version: version.version,
    state: version.state,
    reason: version.reason,
    inputs: version.metadata?.inputs,
    outputs: version.metadata?.outputs,
    maxBatchRows: plan?.maxBatchRows,
    isBatching: plan?.isBatching,
    execution: report?.execution,
    batchLimitRows: report?.batchLimitRows,
    warmupMs: report?.warmupMs,
    generation: version.generation,
    isEdited: version.isEdited,
    sha256: version.facts?.digest,
    files: version.facts?.files,
    fileBytes: version.facts?.fileBytes,
    loadedBytes: version.facts?.loadedBytes,
    arenaBytes: stats?.arenaBytes,
    slabBytes: stats?.slabBytes,
    golden: version.facts?.golden,
    readyAtMs: version.facts?.readyAtMs,
    stats: stats === undefined ? undefined : summarise(stats),
  };
}
