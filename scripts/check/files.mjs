// The files of the tree as the checks see them: everything that is written by people, nothing built or installed.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

// In a linked work tree .git is a file.
const SKIPPED = new Set(['node_modules', 'dist', 'build', '.git', '.cache', '.tap']);

/** Paths relative to `root`, with slashes, sorted. */
export function listFiles(root, folder = '') {
  let entries;
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => !SKIPPED.has(entry.name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(root, path) : [path];
    })
    .sort();
}

export function isGenerated(path) {
  return /(^|\/)generated\/|(^|\/)package-lock\.json$|_generated\.h$/.test(path);
}

/** Prints what a check found, one line each; the process ends with 1 when there is anything. */
export function reportAndExit(name, { found, looked }) {
  for (const line of found) process.stdout.write(`${line}\n`);
  process.stdout.write(`${name}: ${looked} files, ${found.length === 0 ? 'ok' : `${found.length} found`}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
