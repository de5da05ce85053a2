/**
 * A model's rollout on disk: rollout.json, and beside it the audit log, one JSON line for each change; a log that has grown long
 * makes room for a new one and is kept once. A file is written
 * whole beside the old one, brought to the disk, and renamed over it, so that a reader sees the old or the new, never half.
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SluiceError } from '../core/errors.js';
import { FILE_NAME } from './rollout.js';

export const AUDIT_NAME = 'rollout-log.jsonl';
const MAX_FILE_BYTES = 256 * 1024;
/** Where the log goes when it is full; the one that lay there is dropped. */
export const OLDER_AUDIT_NAME = 'rollout-log.older.jsonl';
export const MAX_LOG_BYTES = 4 * 1024 * 1024;

export interface FileText {
  /** '' where there is no file. */
  readonly text: string;
  /** Of the text; '' where there is no file. */
  readonly etag: string;
}

export const NO_FILE: FileText = { text: '', etag: '' };

export function etagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** Changes with every way of writing a file; 'gone' where there is none. */
export async function stampOf(directory: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(join(directory, FILE_NAME));
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return 'gone';
  }
}

/** Throws a SluiceError where there is a file that cannot be read. */
export async function readRolloutText(directory: string): Promise<FileText> {
  const path = join(directory, FILE_NAME);
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new SluiceError(
        'CONFIG_INVALID',
        `${FILE_NAME}: expected at most ${MAX_FILE_BYTES} bytes, got ${size}`,
      );
    const text = await readFile(path, 'utf8');
    return { text, etag: etagOf(text) };
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return NO_FILE;
    throw new SluiceError('CONFIG_INVALID', `${FILE_NAME}: cannot be read`, { cause: error });
  }
}

/** `line 3 column 14` of a place in a text. */
function lineAndColumn(text: string, at: number): string {
  const before = text.slice(0, at);
  return `line ${before.split('\n').length} column ${at - before.lastIndexOf('\n')}`;
}

/** Throws a SluiceError that names line and column. */
export function parseRolloutText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    const [, at] = /at position (\d+)/.exec(told) ?? [];
    const place = lineAndColumn(text, at === undefined ? text.length : Number(at));
    const what = told.replace(/ in JSON at position.*$/, '').replace(/ \(line \d+ column \d+\)/, '');
    throw new SluiceError('CONFIG_INVALID', `${FILE_NAME}: ${place}: ${what}`);
  }
}

async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Throws a SluiceError where the folder cannot be written; the file is then as it was. */
export async function writeRolloutText(directory: string, text: string): Promise<FileText> {
  const path = join(directory, FILE_NAME);
  const written = join(directory, `.${FILE_NAME}.${process.pid}.new`);
  try {
    const file = await open(written, 'w', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(written, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await unlink(written).catch(() => undefined);
    throw new SluiceError(
      'CONFLICT',
      `${FILE_NAME}: cannot be written into the folder "${basename(directory)}" of the model (${codeOf(error)}), so nothing was changed`,
      { cause: error },
    );
  }
  return { text, etag: etagOf(text) };
}

export async function appendAudit(directory: string, entry: object): Promise<void> {
  const path = join(directory, AUDIT_NAME);
  const line = `${JSON.stringify(entry)}\n`;
  if ((await sizeOf(path)) + Buffer.byteLength(line) > MAX_LOG_BYTES)
    await rename(path, join(directory, OLDER_AUDIT_NAME)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  const file = await open(path, 'a', 0o644);
  try {
    await file.writeFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** The newest entries, oldest first. A line that was cut off by a crash is left out. */
export async function readAudit(directory: string, last: number): Promise<unknown[]> {
  const newest = await lastLines(join(directory, AUDIT_NAME), last);
  const older =
    newest.length < last ? await lastLines(join(directory, OLDER_AUDIT_NAME), last - newest.length) : [];
  return [...older, ...newest].flatMap(parseLine);
}

/** Of the end of a file: one that somebody else wrote may be long. */
async function lastLines(path: string, last: number): Promise<string[]> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const bytes = Math.min(size, MAX_LOG_BYTES);
      const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, size - bytes);
      return buffer.toString('utf8').split('\n').filter(Boolean).slice(-last);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

function parseLine(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
