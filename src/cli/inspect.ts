/**
 * `sluice inspect`: opens one model as `serve` would, and tells its signature, the configuration that fits and what a
 * run costs on this machine.
 */
import type { Command } from 'commander';
import { readSettings } from '../config.js';
import type { ModelSignature, StartReport } from '../core/model.js';
import { completeConfig, type CompletedConfig } from '../models/config/complete.js';
import { makeServePlan } from '../models/config/serve-plan.js';
import { openVersion } from '../models/load-version.js';
import { PrivateFolder } from '../models/private-folder.js';
import { findModels, readConfigFile, type FoundModel } from '../models/repository.js';
import { chooseVersions } from '../models/version-policy.js';
import { configText } from './config-text.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { addSettingFlags, typedFlags } from './setting-flags.js';
import { writeTable } from './text-table.js';

const EXAMPLES = `
Examples:
  sluice inspect ./model.onnx                 signature, a config.pbtxt that fits, measured run time
  sluice inspect ./models/digits              the highest version that would be served of a model folder
  sluice inspect ./model.onnx --json          the same for scripts
  sluice inspect ./model.onnx --config-only > config.pbtxt`;

interface Inspection {
  readonly name: string;
  readonly signature: ModelSignature;
  readonly config: CompletedConfig;
  readonly report: StartReport;
}

async function findOne(path: string): Promise<FoundModel> {
  const { models } = await findModels(path);
  const [model] = models;
  if (model === undefined) throw new CommandEnd(EXIT.cannotServe, `${path}: there is no model`);
  if (models.length > 1) {
    const names = models.map(({ name }) => name).join(', ');
    throw new CommandEnd(EXIT.usage, `${path}: expected one model, got ${models.length}: ${names}`);
  }
  if (model.reason !== '') throw new CommandEnd(EXIT.cannotServe, `${path}: ${model.reason}`);
  return model;
}

async function inspectModel(path: string, flags: Record<string, unknown>): Promise<Inspection> {
  const settings = readSettings({ ...flags, repository: path }, process.env);
  const model = await findOne(path);
  const read = await readConfigFile(model);
  const found = chooseVersions(read.config.version_policy, model.versions).versions.at(-1);
  if (found === undefined) throw new CommandEnd(EXIT.cannotServe, `${path}: there is no version`);
  const { createEngine } = await import('../engine/addon-engine.js');
  const engine = createEngine({
    onnxruntimePath: settings.onnxruntime,
    workers: settings.workers,
    inlineBudgetUs: settings.inlineBudgetUs,
  });
  const privateFolder = new PrivateFolder(settings.privateDirectory);
  try {
    const tools = { loader: engine, nextPrivatePath: () => privateFolder.next(), needsManifest: false };
    const { handle, inputs, outputs } = await openVersion(tools, { found, read });
    const signature = { inputs, outputs };
    const config = completeConfig(read.config, signature, model.name, read.source);
    const report = await engine.start(handle, makeServePlan(config, signature, found.version));
    await engine.close(handle);
    return { name: model.name, signature, config, report };
  } finally {
    await engine.shutdown();
    privateFolder.close();
  }
}

function signatureRows({ inputs, outputs }: ModelSignature): string[][] {
  const rows = (side: string, tensors: ModelSignature['inputs']): string[][] =>
    tensors.map(({ name, datatype, shape }) => [side, name, datatype, `[${shape.join(', ')}]`]);
  return [...rows('input', inputs), ...rows('output', outputs)];
}

function costRows(costUs: StartReport['costUs']): string[][] {
  return costUs.map(([rows, us]) => [
    String(rows),
    us.toFixed(1),
    (us / rows).toFixed(2),
    Math.round((rows * 1e6) / us).toLocaleString('en-US'),
  ]);
}

function writeCosts({ costUs, costUsByLength }: StartReport): void {
  const head = ['ROWS', 'US PER RUN', 'US PER ROW', 'ROWS/S'];
  if (costUsByLength.length === 0) return writeTable(process.stdout, head, costRows(costUs));
  const rows = costUsByLength.flatMap(([length, costs]) =>
    costRows(costs).map((row) => [String(length), ...row]),
  );
  return writeTable(process.stdout, ['PADDED TO', ...head], rows);
}

function print({ name, signature, config, report }: Inspection): void {
  const { stdout } = process;
  stdout.write(`model ${name}\n\n`);
  writeTable(stdout, ['SIDE', 'NAME', 'TYPE', 'SHAPE IN THE MODEL'], signatureRows(signature));
  stdout.write('\n');
  writeCosts(report);
  stdout.write(
    `\nwould run ${report.execution === 'inline' ? 'inline, on the event loop' : 'on worker threads'}, ` +
      `batches of up to ${report.batchLimitRows}; warm-up took ${Math.round(report.warmupMs)} ms\n`,
  );
  stdout.write(`\n# config.pbtxt that fits\n${configText(config)}`);
}

export function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .summary('show what a model takes and gives, and what it costs')
    .description('Opens one model as serve would and tells what came of it.')
    .argument('<model>', 'an .onnx file, or the folder of one model')
    .option('--json', 'print JSON')
    .option('--config-only', 'print nothing but the config.pbtxt')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, options: { json?: boolean; configOnly?: boolean }, self: Command) => {
      const inspection = await inspectModel(path, typedFlags(self));
      if (options.json === true) process.stdout.write(`${JSON.stringify(inspection, undefined, 2)}\n`);
      else if (options.configOnly === true) process.stdout.write(configText(inspection.config));
      else print(inspection);
    });
  addSettingFlags(command, ['onnxruntime', 'workers', 'inlineBudgetUs']);
}
