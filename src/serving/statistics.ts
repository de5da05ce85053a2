/**
 * V2 statistics as Triton writes them, which perf_analyzer and others read. Written by hand, because the nanoseconds are
 * 64-bit numbers: JSON.stringify would refuse them, and a rounded one would be wrong. Pure reading.
 */
import type { Reply } from '../core/exchange.js';
import type { VersionEntry } from '../core/snapshot.js';
import {
  merge,
  okDurations,
  outcomeCount,
  runCount,
  stageOf,
  type VersionStats,
} from '../core/version-stats.js';
import { route } from '../routing/router.js';
import type { RouteSource } from './infer.js';
import { errorReply, JSON_TYPE } from './replies.js';

export type StatsOf = (version: VersionEntry) => VersionStats | undefined;

export class Statistics {
  constructor(
    private readonly routing: RouteSource,
    private readonly statsOf: StatsOf,
  ) {}

  all(): Reply {
    return this.reply([...this.routing.table.snapshot.models.keys()].flatMap((name) => this.ready(name)));
  }

  /** Without a version: all of the model that are ready. */
  model(name: string, version: string | undefined): Reply {
    const ready = version === undefined ? this.ready(name) : [];
    if (ready.length > 0) return this.reply(ready);
    const answer = route(this.routing.table, name, version);
    if (answer.target === undefined) return errorReply(answer.error, answer.message);
    return this.reply([answer.target.version]);
  }

  private ready(name: string): VersionEntry[] {
    const versions = this.routing.table.snapshot.models.get(name)?.versions.values() ?? [];
    return [...versions].filter((version) => version.state === 'READY');
  }

  private reply(versions: readonly VersionEntry[]): Reply {
    const parts = versions.flatMap((version) => {
      const stats = this.statsOf(version);
      return stats === undefined ? [] : [modelStats(version, stats)];
    });
    const body = `{"model_stats":[${parts.join(',')}]}`;
    return { status: 200, contentType: JSON_TYPE, headLength: 0, body };
  }
}

function duration(count: number, ns: bigint): string {
  return `{"count":${count},"ns":${ns}}`;
}

function object(fields: ReadonlyArray<readonly [name: string, json: string | number]>): string {
  return `{${fields.map(([name, json]) => `"${name}":${json}`).join(',')}}`;
}

function modelStats({ modelName, version, facts }: VersionEntry, stats: VersionStats): string {
  const ok = outcomeCount(stats, 'ok');
  const stage = (name: Parameters<typeof stageOf>[1]): bigint => stageOf(stats, name).sumNs;
  const failed = merge(stats.protocols.map((protocol) => protocol.failed));
  const nothing = duration(0, 0n);
  return object([
    ['name', JSON.stringify(modelName)],
    ['version', JSON.stringify(version)],
    ['last_inference', stats.lastOkMs],
    ['inference_count', stats.okRows],
    ['execution_count', runCount(stats)],
    [
      'inference_stats',
      object([
        ['success', duration(ok, okDurations(stats).sumNs)],
        ['fail', duration(outcomeCount(stats, 'failed'), failed.sumNs)],
        ['queue', duration(ok, stage('queue') + stage('batch_wait'))],
        ['compute_input', duration(ok, stage('gather'))],
        ['compute_infer', duration(ok, stage('run'))],
        ['compute_output', duration(ok, stage('encode'))],
        ['cache_hit', nothing],
        ['cache_miss', nothing],
      ]),
    ],
    ['response_stats', '{}'],
    [
      'batch_stats',
      `[${stats.batchSizes
        .map(({ rows, runs, gatherNs, runNs, encodeNs }) =>
          object([
            ['batch_size', rows],
            ['compute_input', duration(runs, gatherNs)],
            ['compute_infer', duration(runs, runNs)],
            ['compute_output', duration(runs, encodeNs)],
          ]),
        )
        .join(',')}]`,
    ],
    ['memory_usage', facts === undefined ? '[]' : `[{"type":"CPU","id":0,"byte_size":${facts.loadedBytes}}]`],
  ]);
}
