/**
 * What a load command may bring along instead of what is on disk: a configuration, and with it the files of the model.
 * Files are put into a folder of our own for the time of the load.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError } from '../core/errors.js';
import type { ReadConfig } from './config/model-config.js';
import { readJsonConfig } from './config/read-config.js';
import type { FoundModel } from './repository.js';
import { compareVersions, MODEL_NAME, VERSION_NAME } from './repository.js';

export interface LoadOverride {
  /** JSON of a ModelConfig. */
  readonly configText?: string;
  /** Content by `<version>/<name>`. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
}

export function readOverride(configText: string): ReadConfig {
  return readJsonConfig(configText, 'parameters.config');
}

function refuse(name: string, expected: string): never {
  throw new SluiceError('BAD_REQUEST', `parameter "file:${name.slice(0, 300)}": expected ${expected}`);
}

/** Version and path inside it, checked: nothing may lie outside the folder. */
function placeOf(name: string): { version: string; path: string } {
  const [version = '', ...parts] = name.split('/');
  if (!VERSION_NAME.test(version)) refuse(name, 'a version number before the first "/"');
  const isFit = (part: string): boolean =>
    part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255 && !/[\0\\]/.test(part);
  if (parts.length === 0 || !parts.every(isFit)) refuse(name, 'a file name inside the version');
  return { version, path: parts.join('/') };
}

/** Writes the files below `folder`, which must not exist; answers what `findModel` would find there. */
export async function stageFiles(
  modelName: string,
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
): Promise<FoundModel> {
  if (!MODEL_NAME.test(modelName))
    throw new SluiceError('BAD_REQUEST', 'expected a model name that fits a folder');
  const places = [...files].map(([name, content]) => ({ ...placeOf(name), content }));
  try {
    for (const { version, path, content } of places) {
      const target = join(folder, version, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await writeFile(target, content, { mode: 0o600, flag: 'wx' });
    }
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw new SluiceError('MODEL_INVALID', 'the files of the model cannot be written', { cause });
  }
  const names = [...new Set(places.map(({ version }) => version))].sort(compareVersions);
  const versions = names.map((version) => ({ version, place: join(folder, version) }));
  return { name: modelName, directory: undefined, configFiles: [], versions, reason: '' };
}
