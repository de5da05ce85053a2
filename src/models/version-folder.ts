/**
 * What lies in a version's folder, seen from outside: names, sizes and times, enough to tell that somebody touched it; and
 * its manifest. Reads no model.
 */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { SluiceError } from '../core/errors.js';
import type { ExpectedFile } from '../core/opening.js';
import type { VersionFile } from '../core/snapshot.js';

export const MANIFEST = 'manifest.json';
export const GOLDEN = 'golden';
const MOST_ENTRIES = 10_000;

export interface FolderLook {
  /** Equal as long as nobody wrote, renamed, added or removed a file, golden answers aside: they do not serve. */
  readonly fingerprint: string;
  /** The same of the golden answers. */
  readonly goldenFingerprint: string;
  /**
   * Everything in the folder is older than the folder's own appearance, so it came whole, by a rename. (A folder that is
   * filled where it stands is older than its files.)
   */
  readonly cameWhole: boolean;
  readonly bytes: number;
}

interface Sum {
  readonly lines: string[];
  bytes: number;
  newestMs: number;
}

async function addEntries(place: string, prefix: string, sum: Sum): Promise<void> {
  const names = (await readdir(place)).sort();
  for (const name of names) {
    if (sum.lines.length >= MOST_ENTRIES)
      throw new SluiceError('MODEL_INVALID', `expected at most ${MOST_ENTRIES} files in a version's folder`);
    const facts = await stat(join(place, name)).catch(() => lstat(join(place, name)));
    sum.newestMs = Math.max(sum.newestMs, facts.mtimeMs, facts.isDirectory() ? 0 : facts.ctimeMs);
    if (facts.isDirectory()) {
      await addEntries(join(place, name), `${prefix}${name}/`, sum);
      continue;
    }
    sum.lines.push(`${prefix}${name} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs} ${facts.ino}`);
    sum.bytes += facts.size;
  }
}

function hashOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** `place` is a version's folder, or the `.onnx` file itself. */
export async function lookAt(place: string): Promise<FolderLook> {
  const facts = await stat(place);
  if (!facts.isDirectory()) {
    const fingerprint = `${facts.size} ${facts.mtimeMs} ${facts.ctimeMs} ${facts.ino}`;
    // A renamed file is as old as it was; one that is written where it stands is new.
    return {
      fingerprint,
      goldenFingerprint: '',
      cameWhole: facts.mtimeMs < facts.ctimeMs,
      bytes: facts.size,
    };
  }
  const sum: Sum = { lines: [], bytes: 0, newestMs: facts.mtimeMs };
  await addEntries(place, '', sum);
  const parent = await stat(dirname(place));
  const isGolden = (line: string): boolean => line.startsWith(`${GOLDEN}/`);
  return {
    fingerprint: hashOf([String(facts.ino), ...sum.lines.filter((line) => !isGolden(line))]),
    goldenFingerprint: hashOf(sum.lines.filter(isGolden)),
    cameWhole: sum.lines.length > 0 && sum.newestMs < parent.mtimeMs,
    bytes: sum.bytes,
  };
}

const manifestSchema = z.strictObject({
  files: z.record(
    z.string().min(1),
    z.string().regex(/^[0-9a-f]{64}$/i, 'expected a sha256 of 64 hexadecimal digits'),
  ),
});

function invalid(message: string): SluiceError {
  return new SluiceError('MODEL_INVALID', message);
}

/** The hashes that the version's files must have, by their names in `place`; undefined where there is no manifest. */
export async function readManifest(place: string): Promise<ExpectedFile[] | undefined> {
  let text: string;
  try {
    text = await readFile(join(place, MANIFEST), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SluiceError('MODEL_INVALID', `${MANIFEST} cannot be read: ${code}`, { cause: error });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('MODEL_INVALID', `${MANIFEST}: not JSON`, { cause });
  }
  const read = manifestSchema.safeParse(document);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw invalid(`${MANIFEST} ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
  }
  return Object.entries(read.data.files).map(([name, sha256]) => ({ name, sha256: sha256.toLowerCase() }));
}

/** One hash over names and hashes. */
export function digestOf(files: readonly VersionFile[]): string {
  const lines = files.map((file) => `${file.sha256}  ${file.name}\n`).sort();
  return hashOf(lines);
}
