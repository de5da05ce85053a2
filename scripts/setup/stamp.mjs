// Stamps: what a step was last done for, as one hash per step under .cache/stamps/. A step whose inputs still hash to its
// stamp, and whose outputs exist, is skipped. Contents are hashed, not times, so that a fresh checkout does not rebuild.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const CACHE = join(ROOT, '.cache');

/** Every file below `path` (or the file itself), sorted; nothing when it does not exist. */
export function filesBelow(path) {
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const full = join(path, entry.name);
    return entry.isDirectory() ? filesBelow(full) : [full];
  });
}

/** One hash over texts and over the names and contents of files and folders, relative to the root. */
export function hashOf({ texts = [], paths = [] }) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:${text}`);
  for (const path of paths) {
    for (const file of filesBelow(join(ROOT, path))) {
      const bytes = readFileSync(file);
      hash.update(`${file.slice(ROOT.length)}:${bytes.length}:`).update(bytes);
    }
  }
  return hash.digest('hex');
}

export function isFresh(step, hash, outputs = []) {
  return readStamp(step) === hash && outputs.every((output) => existsSync(join(ROOT, output)));
}

export function readStamp(step) {
  try {
    return readFileSync(stampFile(step), 'utf8').trim();
  } catch {
    return '';
  }
}

export function writeStamp(step, hash) {
  writeWhole(stampFile(step), `${hash}\n`);
}

export function dropStamp(step) {
  rmSync(stampFile(step), { force: true });
}

/** Writes a file so that a reader sees the old or the new contents, never a part. */
export function writeWhole(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, file);
}

function stampFile(step) {
  return join(CACHE, 'stamps', step);
}
