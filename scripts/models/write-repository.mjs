/**
 * Owns: putting models on disk in the layout of a Triton repository. A file that already holds the right bytes is left
 * alone, so that a server which watches the folder sees only what changed.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes one file if it differs; returns whether it did. The file appears whole or not at all. */
export function writeIfChanged(path, content) {
  const bytes = Buffer.from(content);
  if (existsSync(path) && readFileSync(path).equals(bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}.unfinished`;
  writeFileSync(unfinished, bytes);
  renameSync(unfinished, path);
  return true;
}

/** Writes one model of the catalogue below `dir`; returns its size in bytes and how many files changed. */
export function writeModel(dir, { name, config, versions }) {
  let bytes = 0;
  let changed = 0;
  const write = (path, content) => {
    bytes += content.length;
    if (writeIfChanged(join(dir, name, path), content)) changed += 1;
  };
  if (config !== undefined) write('config.pbtxt', config);
  for (const [version, makeFiles] of Object.entries(versions)) {
    for (const [file, content] of Object.entries(makeFiles())) write(join(version, file), content);
  }
  return { bytes, changed };
}
