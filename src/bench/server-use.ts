/**
 * What a server says of itself while it is measured: the V2 statistics of a model (Triton's and Sluice's form), read before and
 * after, and their difference. A server that has none is measured all the same.
 */
import type { ModelChoice } from './requests.js';
import type { ServerUse } from './result.js';

interface Duration {
  readonly count?: number | string;
  readonly ns?: number | string;
}

interface BatchStats {
  readonly batch_size: number | string;
  readonly compute_infer?: Duration;
}

interface ModelStats {
  readonly inference_count?: number | string;
  readonly execution_count?: number | string;
  readonly inference_stats?: Readonly<Record<string, Duration>>;
  readonly batch_stats?: readonly BatchStats[];
}

/** Counters by name, added over the versions of a model. */
export type Counters = ReadonlyMap<string, number>;

const ANSWER_LIMIT_MS = 2_000;
const STAGES = ['queue', 'compute_input', 'compute_infer', 'compute_output'] as const;
const STAGE_WORDS: Readonly<Record<(typeof STAGES)[number], string>> = {
  queue: 'queue',
  compute_input: 'decode',
  compute_infer: 'run',
  compute_output: 'encode',
};

function countersOf(versions: readonly ModelStats[]): Counters {
  const counters = new Map<string, number>();
  const add = (name: string, value: number | string | undefined): void => {
    counters.set(name, (counters.get(name) ?? 0) + Number(value ?? 0));
  };
  for (const stats of versions) {
    add('rows', stats.inference_count);
    add('runs', stats.execution_count);
    add('requests', stats.inference_stats?.['success']?.count);
    for (const stage of STAGES) add(stage, stats.inference_stats?.[stage]?.ns);
    for (const batch of stats.batch_stats ?? []) add(`batch ${batch.batch_size}`, batch.compute_infer?.count);
  }
  return counters;
}

/** Undefined where the server does not tell. */
export async function readCounters(
  url: string,
  { model }: ModelChoice,
  headers: Readonly<Record<string, string>>,
): Promise<Counters | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const response = await fetch(`${url}/v2/models/${encodeURIComponent(model)}/stats`, { signal, headers });
    if (response.status !== 200) return undefined;
    const { model_stats: versions } = (await response.json()) as { model_stats?: readonly ModelStats[] };
    return Array.isArray(versions) ? countersOf(versions as readonly ModelStats[]) : undefined;
  } catch {
    return undefined;
  }
}

export function useBetween(model: string, before: Counters, after: Counters): ServerUse {
  const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  const requests = grown('requests');
  const stagesUs: Record<string, number> = {};
  for (const stage of STAGES)
    stagesUs[STAGE_WORDS[stage]] = requests > 0 ? grown(stage) / requests / 1000 : 0;
  const batchSizes = [...after.keys()]
    .filter((name) => name.startsWith('batch '))
    .map((name): [number, number] => [Number(name.slice('batch '.length)), grown(name)]);
  return {
    model,
    requests,
    rows: grown('rows'),
    runs: grown('runs'),
    stagesUs,
    runsByBatchSize: batchSizes.filter(([, runs]) => runs > 0).sort(([a], [b]) => a - b),
  };
}
