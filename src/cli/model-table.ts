/** The table of models that `serve` prints at its start. Pure. */
import type { TensorInfo } from '../core/model.js';
import type { ModelEntry, Snapshot, VersionEntry } from '../core/snapshot.js';

export const MODEL_TABLE_HEAD = [
  'MODEL',
  'VERSION',
  'STATE',
  'INPUTS',
  'OUTPUTS',
  'BATCHING',
  'EXECUTION',
  'WARM-UP',
] as const;

const MOST_TENSORS_SHOWN = 3;

export function describeTensors(tensors: readonly TensorInfo[]): string {
  const shown = tensors.slice(0, MOST_TENSORS_SHOWN).map(({ name, datatype, shape }) => {
    return `${name} ${datatype}[${shape.join(',')}]`;
  });
  if (tensors.length > shown.length) shown.push(`+${tensors.length - shown.length}`);
  return shown.join(', ');
}

function describeBatching({ plan, report }: VersionEntry): string {
  if (plan === undefined || plan.maxBatchRows === 0) return 'none';
  if (!plan.isBatching) return `per request, up to ${plan.maxBatchRows}`;
  return `up to ${report?.batchLimitRows ?? plan.maxBatchRows} of ${plan.maxBatchRows}`;
}

function versionRow(entry: VersionEntry): string[] {
  const { modelName, version, state, metadata, report } = entry;
  if (metadata === undefined || report === undefined) {
    return [modelName, version, entry.reason === '' ? state : `${state}: ${entry.reason}`];
  }
  return [
    modelName,
    version,
    entry.reason === '' ? state : `${state}: ${entry.reason}`,
    describeTensors(metadata.inputs),
    describeTensors(metadata.outputs),
    describeBatching(entry),
    report.execution,
    `${report.warmupMs.toFixed(report.warmupMs < 10 ? 1 : 0)} ms`,
  ];
}

function modelRows(model: ModelEntry): string[][] {
  if (model.versions.size > 0) return [...model.versions.values()].map(versionRow);
  return [[model.name, '-', `REJECTED: ${model.reason}`]];
}

export function modelTableRows(snapshot: Snapshot): string[][] {
  return [...snapshot.models.values()].flatMap(modelRows);
}
