/**
 * The router of the admin listener, which only this machine can reach: metrics, health, and the table of the models with
 * what is known about each version. Never asked on the way of a request.
 */
import type { Reply, RequestHandler } from '../core/exchange.js';
import type { Snapshot, VersionEntry } from '../core/snapshot.js';
import type { VersionStats } from '../engine/engine.js';
import type { Metadata } from '../serving/metadata.js';
import { errorReply, jsonReply } from '../serving/replies.js';
import { methodNotAllowed, notFound, replyAfterBody } from './routes.js';

export interface AdminSources {
  readonly metadata: Metadata;
  readonly models: { readonly snapshot: Snapshot };
  /** Prometheus text and its content type. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  statsOf(version: VersionEntry): VersionStats | undefined;
  reportFault(error: unknown): void;
}

export function adminRoutes(sources: AdminSources): RequestHandler {
  const { metadata, models, metrics } = sources;
  const pages: Readonly<Record<string, () => Reply>> = {
    '/v2/health/live': () => metadata.live(),
    '/v2/health/ready': () => metadata.ready(),
    '/models': () => jsonReply({ models: modelTable(models.snapshot, sources) }),
  };
  return (head, responder) => {
    const isMetrics = head.path === '/metrics' || head.path === '/metrics/';
    const page = Object.hasOwn(pages, head.path) ? pages[head.path] : undefined;
    if (!isMetrics && page === undefined) return replyAfterBody(head, responder, notFound());
    if (head.method !== 'GET' && head.method !== 'HEAD') {
      return replyAfterBody(head, responder, methodNotAllowed('GET, HEAD'));
    }
    if (page !== undefined) {
      responder.send(page());
      return null;
    }
    metrics.text().then(
      (body) => {
        responder.send({ status: 200, contentType: metrics.contentType, headLength: 0, body });
      },
      (error: unknown) => {
        sources.reportFault(error);
        responder.send(errorReply('INTERNAL', 'The metrics could not be read'));
      },
    );
    return { chunk: () => undefined, aborted: () => undefined };
  };
}

function modelTable(snapshot: Snapshot, sources: AdminSources): object[] {
  return [...snapshot.models.values()].map((model) => ({
    name: model.name,
    platform: model.platform,
    isReady: model.isReady,
    reason: model.reason,
    defaultVersion: model.defaultVersion?.version,
    versions: [...model.versions.values()].map((version) => versionRow(version, sources)),
  }));
}

function versionRow(version: VersionEntry, sources: AdminSources): object {
  const { plan, report } = version;
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
    stats: sources.statsOf(version),
  };
}
