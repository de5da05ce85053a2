/**
 * Finds models on disk: a Triton repository (`<model>/<version>/model.onnx`, with or without a config file), one model
 * folder, a folder of `.onnx` files, or one file. Reads folder names only; opens nothing but the config file.
 * Names from disk become keys of Maps only after they passed the name rule.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { SluiceError } from '../core/errors.js';
import { emptyModelConfig, type ReadConfig } from './config/model-config.js';
import { readJsonConfig, readPbtxtConfig } from './config/read-config.js';

export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
export const VERSION_NAME = /^(?:0|[1-9]\d{0,17})$/;
const FOLDERS_WITHOUT_VERSIONS = new Set(['warmup', 'initial_state', 'configs']);
const CONFIG_FILES = ['config.pbtxt', 'config.json'];
/** Files that the message about a missing one names. */
const MOST_NAMED = 4;

export interface FoundVersion {
  readonly version: string;
  /** The version's folder, or the `.onnx` file itself where there are no version folders. */
  readonly place: string;
  /** The model's own folder; undefined where it has none. */
  readonly modelDirectory?: string;
}

export interface FoundModel {
  readonly name: string;
  /** undefined: the model has no folder of its own, hence no config file. */
  readonly directory: string | undefined;
  readonly configFiles: readonly string[];
  /** Ascending by number. */
  readonly versions: readonly FoundVersion[];
  /** Why the model cannot be served at all; '' otherwise. */
  readonly reason: string;
}

export interface FoundRepository {
  /** In the order of the names. */
  readonly models: readonly FoundModel[];
  readonly warnings: readonly string[];
}

type Kind = 'file' | 'directory' | 'none';

async function kindOf(path: string): Promise<Kind> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'none';
  } catch {
    return 'none';
  }
}

async function entriesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !name.startsWith('.')).sort();
}

export function compareVersions(left: string, right: string): number {
  return Number(BigInt(left) - BigInt(right));
}

function nameProblem(name: string): string {
  if (MODEL_NAME.test(name)) return '';
  return 'expected a model name of letters, digits, ".", "_" and "-" that begins with a letter or digit, at most 128 long';
}

/** undefined where nothing in the folder looks like a model. */
async function readModelFolder(directory: string, warnings: string[]): Promise<FoundModel | undefined> {
  const name = basename(directory);
  const configFiles: string[] = [];
  const versions: FoundVersion[] = [];
  for (const entry of await entriesOf(directory)) {
    const kind = await kindOf(join(directory, entry));
    if (kind === 'file' && CONFIG_FILES.includes(entry)) configFiles.push(entry);
    if (kind !== 'directory') continue;
    if (VERSION_NAME.test(entry))
      versions.push({ version: entry, place: join(directory, entry), modelDirectory: directory });
    else if (!FOLDERS_WITHOUT_VERSIONS.has(entry)) {
      warnings.push(
        `model "${name}": folder "${entry}" ignored: expected a version number without leading zeros`,
      );
    }
  }
  if (configFiles.length === 0 && versions.length === 0) return undefined;
  versions.sort((left, right) => compareVersions(left.version, right.version));
  let reason = nameProblem(name);
  if (reason === '' && configFiles.length > 1) reason = 'expected config.pbtxt or config.json, got both';
  if (reason === '' && versions.length === 0) reason = 'expected a version folder such as 1/, got none';
  return { name, directory, configFiles, versions, reason };
}

function fileModel(path: string): FoundModel {
  const name = basename(path, extname(path));
  return {
    name,
    directory: undefined,
    configFiles: [],
    versions: [{ version: '1', place: path }],
    reason: nameProblem(name),
  };
}

/** A model folder has a config file, or a version folder with a model right inside it. */
async function isModelFolder(directory: string): Promise<boolean> {
  for (const entry of await entriesOf(directory)) {
    const isConfig = CONFIG_FILES.includes(entry);
    // A repository has many entries and is looked at for each of its models: what tells nothing is not touched.
    if (!isConfig && !VERSION_NAME.test(entry)) continue;
    const path = join(directory, entry);
    const kind = await kindOf(path);
    if (kind === 'file' && isConfig) return true;
    if (kind !== 'directory' || isConfig) continue;
    if ((await entriesOf(path)).some((name) => extname(name) === '.onnx')) return true;
  }
  return false;
}

async function readRepository(directory: string): Promise<FoundRepository> {
  const models = new Map<string, FoundModel>();
  const warnings: string[] = [];
  for (const entry of await entriesOf(directory)) {
    const path = join(directory, entry);
    const kind = await kindOf(path);
    let model: FoundModel | undefined;
    if (kind === 'directory') {
      model = await readModelFolder(path, warnings);
      if (model === undefined)
        warnings.push(`folder "${entry}" ignored: no config file and no version folder in it`);
    } else if (kind === 'file' && extname(entry) === '.onnx') {
      model = fileModel(path);
    }
    if (model === undefined) continue;
    const isTaken = models.has(model.name);
    models.set(
      model.name,
      isTaken ? { ...model, versions: [], reason: 'found twice, as a folder and as a file' } : model,
    );
  }
  const sorted = [...models.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  return { models: sorted, warnings };
}

/** One model of what `findModels` finds, without reading the rest of a repository. */
export async function findModel(path: string, modelName: string): Promise<FoundModel | undefined> {
  if (!MODEL_NAME.test(modelName)) return undefined;
  const place = resolve(path);
  const inside = join(place, modelName);
  if (!(await isModelFolder(place).catch(() => false)) && (await kindOf(inside)) === 'directory') {
    return readModelFolder(inside, []);
  }
  const { models } = await findModels(path);
  return models.find((model) => model.name === modelName);
}

export async function findModels(path: string): Promise<FoundRepository> {
  const place = resolve(path);
  const kind = await kindOf(place);
  if (kind === 'file' && extname(place) === '.onnx') return { models: [fileModel(place)], warnings: [] };
  if (kind !== 'directory') {
    const got = kind === 'none' ? 'nothing there' : 'another kind of file';
    throw new SluiceError(
      'CONFIG_INVALID',
      `expected a model repository, a model folder or an .onnx file at ${path}, got ${got}`,
    );
  }
  if (!(await isModelFolder(place))) return readRepository(place);
  const warnings: string[] = [];
  const model = await readModelFolder(place, warnings);
  return { models: model === undefined ? [] : [model], warnings };
}

/** The model's config file, checked; the defaults where there is none. */
export async function readConfigFile(model: FoundModel): Promise<ReadConfig> {
  const [fileName] = model.configFiles;
  if (fileName === undefined || model.directory === undefined) return emptyModelConfig();
  const text = await readFile(join(model.directory, fileName), 'utf8');
  return fileName === 'config.pbtxt' ? readPbtxtConfig(text) : readJsonConfig(text);
}

/** The `.onnx` file of a version, and the folder that its external data may lie in. */
export async function findModelFile(
  found: FoundVersion,
  fileName: string,
): Promise<{ path: string; directory: string }> {
  if ((await kindOf(found.place)) === 'file') return { path: found.place, directory: dirname(found.place) };
  const path = join(found.place, fileName);
  const kind = await kindOf(path);
  if (kind === 'file') return { path, directory: found.place };
  // Triton allows a folder of that name, for models with external data.
  const inner = join(path, 'model.onnx');
  if (kind === 'directory' && (await kindOf(inner)) === 'file') return { path: inner, directory: path };
  const others = (await entriesOf(found.place)).slice(0, MOST_NAMED).join(', ');
  throw new SluiceError(
    'MODEL_INVALID',
    `expected ${fileName} in the folder of version ${found.version}, got ${others === '' ? 'none' : others}`,
  );
}
