/** The repository as the V2 index tells it: one row per known version, states in the words of the protocol. Pure. */
import type { VersionState } from '../core/model.js';
import type { Snapshot, VersionEntry } from '../core/snapshot.js';

export interface IndexRow {
  readonly name: string;
  readonly version?: string;
  readonly state?: 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';
  readonly reason?: string;
  /** Of what was loaded; ours, clients of the protocol skip it. */
  readonly sha256?: string;
  /** The folder no longer holds what was loaded. */
  readonly edited?: true;
}

const STATE: Readonly<Record<VersionState, NonNullable<IndexRow['state']>>> = {
  LOADING: 'LOADING',
  WARMING: 'LOADING',
  VERIFYING: 'LOADING',
  READY: 'READY',
  DRAINING: 'UNLOADING',
  UNLOADED: 'UNAVAILABLE',
  REJECTED: 'UNAVAILABLE',
};

function versionRow(entry: VersionEntry): IndexRow {
  const reason = entry.state === 'UNLOADED' ? 'unloaded' : entry.reason;
  return {
    name: entry.modelName,
    version: entry.version,
    state: STATE[entry.state],
    ...(reason === '' ? {} : { reason }),
    ...(entry.facts === undefined ? {} : { sha256: entry.facts.digest }),
    ...(entry.isEdited ? { edited: true as const } : {}),
  };
}

/** `onDisk`: names of the repository, loaded or not. */
export function repositoryIndex(
  snapshot: Snapshot,
  onDisk: readonly string[],
  isReadyOnly: boolean,
): IndexRow[] {
  const rows = [...snapshot.models.values()].flatMap((model): IndexRow[] => {
    if (model.versions.size > 0) return [...model.versions.values()].map(versionRow);
    const reason = model.reason === '' ? {} : { reason: model.reason };
    return [{ name: model.name, state: 'UNAVAILABLE', ...reason }];
  });
  if (isReadyOnly) return rows.filter((row) => row.state === 'READY');
  const unknown = onDisk.filter((name) => !snapshot.models.has(name)).map((name) => ({ name }));
  return [...rows, ...unknown];
}
