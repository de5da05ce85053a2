/** `sluice models`: what a running server has loaded, and what share of the traffic each version gets. */
import type { Command } from 'commander';
import { addAdminOptions, AdminClient, pathOf, type AdminOptions } from './admin-client.js';
import { versionFacts, type RolloutAnswer } from './rollout-text.js';
import { writeTable } from './text-table.js';

interface VersionRow {
  readonly version: string;
  readonly state: string;
  readonly reason: string;
  readonly execution?: string;
  readonly stats?: { readonly requests?: number };
}

interface ModelRow {
  readonly name: string;
  readonly reason: string;
  readonly defaultVersion?: string;
  readonly versions: readonly VersionRow[];
}

const HEAD = ['MODEL', 'VERSION', 'STATE', 'SHARE', 'ALIASES', 'EXECUTION', 'REQUESTS', 'REASON'] as const;

async function showModels(options: AdminOptions): Promise<void> {
  const client = new AdminClient(options);
  const { models } = (await client.get('/models')) as unknown as { readonly models: readonly ModelRow[] };
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ models }, null, 2)}\n`);
    return;
  }
  const rows: string[][] = [];
  for (const model of models) {
    const path = pathOf`/models/${model.name}/rollout`;
    const { rollout } = (await client.get(path)) as unknown as RolloutAnswer;
    if (model.versions.length === 0) rows.push([model.name, '-', '-', '-', '', '', '', model.reason]);
    for (const version of model.versions) {
      const { aliases, share } = versionFacts(rollout, version.version, model.defaultVersion);
      const requests = String(version.stats?.requests ?? '');
      const isReady = version.state === 'READY';
      rows.push([
        model.name,
        version.version,
        version.state,
        isReady ? share : '-',
        aliases,
        version.execution ?? '',
        requests,
        version.reason,
      ]);
    }
  }
  writeTable(process.stdout, HEAD, rows);
}

export function addModels(program: Command): void {
  addAdminOptions(
    program
      .command('models')
      .summary('what a running server has loaded')
      .description('Shows the models and versions of a running server, with their share of the traffic.'),
  ).action(showModels);
}
