/**
 * `sluice golden record` and `sluice golden check`: the golden answers of a version, made by the version itself and replayed
 * through the same gate that serving uses.
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { readSettings } from '../config.js';
import { loaderOf } from '../engine/loader.js';
import { readGolden, toFile, type GoldenSet } from '../models/golden/cases.js';
import { askGolden } from '../models/golden/gate.js';
import { writeAnswer } from '../models/golden/wire.js';
import { loadVersion, type LoadedVersion, type LoadTools } from '../models/load-version.js';
import { clientReason } from '../models/managed-model.js';
import { PrivateFolder } from '../models/private-folder.js';
import { findModels, readConfigFile, type FoundVersion } from '../models/repository.js';
import { GOLDEN } from '../models/version-folder.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { addSettingFlags, typedFlags } from './setting-flags.js';

const EXAMPLES = `
Requests lie in <version>/golden/: <case>.request.json (a V2 infer body), or <case>.request.bin (the length of the JSON part in
a line of digits, then JSON part and tensors). golden/golden.json may hold tolerances by output and a latency budget:
  { "tolerance": { "scores": { "absolute": 1e-4, "relative": 1e-3 }, "*": { "absolute": 0 } }, "latencyMs": 50 }

Examples:
  sluice golden record ./models/digits/2     writes <case>.answer.bin beside each request
  sluice golden check ./models/digits/2      asks again, alone and as rows of one batch`;

interface Target {
  readonly modelName: string;
  readonly found: FoundVersion;
  readonly golden: GoldenSet;
}

/** `path` is a version's folder. */
async function findTarget(path: string): Promise<Target & { readonly directory: string }> {
  const place = resolve(path);
  const directory = dirname(place);
  const { models } = await findModels(directory);
  const found = models[0]?.versions.find((version) => version.version === basename(place));
  if (models.length !== 1 || found === undefined)
    throw new CommandEnd(
      EXIT.usage,
      `${path}: expected the folder of a version, for example ./models/digits/2`,
    );
  const golden = await readGolden(place);
  if (golden === undefined)
    throw new CommandEnd(EXIT.usage, `${path}: there is no ${GOLDEN} folder with requests`);
  return { modelName: basename(directory), found, golden, directory };
}

async function withVersion(
  path: string,
  flags: Record<string, unknown>,
  skipsGolden: boolean,
  work: (target: Target, tools: LoadTools, loaded: LoadedVersion) => Promise<void>,
): Promise<void> {
  const target = await findTarget(path);
  const settings = readSettings({ ...flags, repository: path }, process.env);
  const { models } = await findModels(target.directory);
  const model = models[0];
  if (model === undefined) throw new CommandEnd(EXIT.usage, `${path}: there is no model`);
  const read = await readConfigFile(model);
  const { createEngine } = await import('../engine/addon-engine.js');
  const engine = createEngine({ onnxruntimePath: settings.onnxruntime, workers: 1 });
  const privateFolder = new PrivateFolder(settings.privateDirectory);
  const loader = loaderOf(engine);
  const tools: LoadTools = {
    loader,
    nextPrivatePath: () => privateFolder.next(),
    needsManifest: false,
    skipsGolden,
  };
  try {
    const order = { modelName: target.modelName, found: target.found, read };
    const loaded = await loadVersion(tools, order, () => undefined);
    await work(target, tools, loaded);
    await loader.close(loaded.handle);
  } catch (error) {
    throw error instanceof CommandEnd
      ? error
      : new CommandEnd(EXIT.cannotServe, `${path}: ${clientReason(error)}`);
  } finally {
    privateFolder.close();
    await engine.shutdown();
  }
}

async function record({ found, golden }: Target, tools: LoadTools, loaded: LoadedVersion): Promise<void> {
  const folder = join(found.place, GOLDEN);
  for (const { name, inputs } of golden.cases) {
    const outputs = await askGolden(tools.loader, loaded.handle, inputs, `case "${name}"`);
    const target = join(folder, `${name}.answer.bin`);
    const unfinished = join(folder, `.${name}.unfinished`);
    writeFileSync(unfinished, toFile(writeAnswer(outputs)));
    renameSync(unfinished, target);
    // Two answers to one request would be one too many.
    if (readdirSync(folder).includes(`${name}.answer.json`)) rmSync(join(folder, `${name}.answer.json`));
    process.stdout.write(`recorded ${name}: ${outputs.map((output) => output.name).join(', ')}\n`);
  }
}

function addVerb(
  command: Command,
  name: string,
  summary: string,
  action: (path: string, self: Command) => Promise<void>,
): void {
  const verb = command
    .command(name)
    .summary(summary)
    .description(summary)
    .argument('<version>', 'the folder of one version')
    .addHelpText('after', EXAMPLES)
    .action((path: string, _options: object, self: Command) => action(path, self));
  addSettingFlags(verb, ['onnxruntime', 'privateDirectory']);
}

export function addGolden(program: Command): void {
  const command = program
    .command('golden')
    .summary('record and replay the golden answers of a version')
    .description('A version with golden answers serves only where it still gives them.');
  addVerb(command, 'record', 'ask the golden requests and keep the answers', (path, self) =>
    withVersion(path, typedFlags(self), true, record),
  );
  addVerb(command, 'check', 'ask the golden requests and compare the answers', (path, self) =>
    withVersion(path, typedFlags(self), false, async (_target, _tools, { facts }) => {
      const { cases = 0, worstRatio = 0, slowestMs = 0 } = facts.golden ?? {};
      process.stdout.write(
        `${cases} cases as they should be; the worst is at ${worstRatio.toPrecision(2)} of its tolerance, ` +
          `the slowest took ${slowestMs.toFixed(1)} ms\n`,
      );
    }),
  );
}
