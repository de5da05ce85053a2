/** `sluice validate`: everything that `serve` would check of a repository, without serving it. */
import type { Command } from 'commander';
import { readSettings } from '../config.js';
import type { Snapshot } from '../core/snapshot.js';
import { loaderOf } from '../engine/loader.js';
import { PrivateFolder } from '../models/private-folder.js';
import { ModelStore } from '../models/store.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { addSettingFlags, typedFlags } from './setting-flags.js';
import { writeTable } from './text-table.js';

const EXAMPLES = `
Examples:
  sluice validate ./models            every model: configuration, files, first runs, golden answers
  sluice validate ./models --strict   and every version has a manifest
  sluice validate ./models --json     for scripts; the exit code is 3 where something would not serve`;

export interface ValidationRow {
  readonly model: string;
  readonly version: string;
  readonly isGood: boolean;
  readonly reason: string;
  readonly sha256: string;
  readonly golden: number;
}

export function validationRows(snapshot: Snapshot): ValidationRow[] {
  return [...snapshot.models.values()].flatMap((model): ValidationRow[] => {
    const none = { sha256: '', golden: 0 };
    if (model.versions.size === 0)
      return [{ model: model.name, version: '', isGood: false, reason: model.reason, ...none }];
    return [...model.versions.values()].map((entry) => ({
      model: model.name,
      version: entry.version,
      isGood: entry.state === 'READY',
      reason: entry.reason,
      sha256: entry.facts?.digest ?? '',
      golden: entry.facts?.golden?.cases ?? 0,
    }));
  });
}

async function validate(path: string, flags: Record<string, unknown>) {
  const settings = readSettings({ ...flags, repository: path }, process.env);
  const { createEngine } = await import('../engine/addon-engine.js');
  const engine = createEngine({ onnxruntimePath: settings.onnxruntime, workers: settings.workers });
  const privateFolder = new PrivateFolder(settings.privateDirectory);
  const warnings: string[] = [];
  const store = new ModelStore(
    loaderOf(engine),
    {
      info: () => undefined,
      warn: (fields, message) => {
        const { model } = fields as { model?: string };
        warnings.push(model === undefined ? message : `${model}: ${message}`);
      },
      error: () => undefined,
    },
    {
      needsManifest: settings.strict,
      parallelLoads: settings.parallelLoads,
      nextPrivatePath: () => privateFolder.next(),
    },
  );
  try {
    await store.load(settings.repository);
    const rows = validationRows(store.snapshot);
    await store.close();
    return { rows, warnings };
  } finally {
    privateFolder.close();
    await engine.shutdown();
  }
}

export function addValidate(program: Command): void {
  const command = program
    .command('validate')
    .summary('check a model repository without serving it')
    .description('Loads every model as serve would, and tells which would serve and why others would not.')
    .argument('<repository>', 'model repository, model folder, folder of .onnx files, or one .onnx file')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, options: { json?: boolean }, self: Command) => {
      const { rows, warnings } = await validate(path, typedFlags(self));
      const bad = rows.filter((row) => !row.isGood);
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify({ versions: rows, warnings }, undefined, 2)}\n`);
      } else {
        const table = rows.map(({ model, version, isGood, reason, golden }) => [
          model,
          version === '' ? '-' : version,
          isGood ? 'ok' : 'REFUSED',
          isGood ? (golden > 0 ? `${golden} golden answers` : '') : reason,
        ]);
        writeTable(process.stdout, ['MODEL', 'VERSION', 'RESULT', 'REMARK'], table);
        for (const warning of warnings) process.stdout.write(`note: ${warning}\n`);
      }
      if (bad.length > 0 || rows.length === 0)
        throw new CommandEnd(
          EXIT.cannotServe,
          rows.length === 0
            ? `${path}: there is no model`
            : `${bad.length} of ${rows.length} would not serve`,
        );
    });
  addSettingFlags(command, ['onnxruntime', 'workers', 'strict', 'parallelLoads', 'privateDirectory']);
}
