/**
 * The golden requests and answers of a version: `golden/<case>.request.json|bin` with `<case>.answer.json|bin` beside it,
 * and `golden/golden.json` for tolerances and a latency budget. A .bin file begins with the length of its JSON part in one
 * line of digits.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SluiceError } from '../../core/errors.js';
import { GOLDEN } from '../version-folder.js';
import type { Tolerance } from './compare.js';
import { readTensors, type GoldenBody, type GoldenTensor } from './wire.js';

const SETTINGS = 'golden.json';
const CASE = /^(.+)\.(request|answer)\.(json|bin)$/;
const MOST_CASES = 1000;

const toleranceSchema = z.strictObject({
  absolute: z.number().min(0).default(0),
  relative: z.number().min(0).default(0),
});
const settingsSchema = z.strictObject({
  tolerance: z
    .record(z.string(), toleranceSchema)
    .default({})
    .describe('by name of the output; "*" for the others'),
  latencyMs: z.number().positive().optional().describe('no case may take longer, alone, warmed up'),
});

export interface GoldenCase {
  readonly name: string;
  readonly inputs: readonly GoldenTensor[];
  /** Empty while nothing was recorded. */
  readonly outputs: readonly GoldenTensor[];
}

export interface GoldenSet {
  readonly cases: readonly GoldenCase[];
  readonly tolerance: ReadonlyMap<string, Tolerance>;
  readonly latencyMs: number | undefined;
}

function invalid(message: string): SluiceError {
  return new SluiceError('MODEL_INVALID', message);
}

/** `1234\n` and the body; binary bodies need to say where their JSON part ends. */
export function toFile({ bytes, headLength }: GoldenBody): Uint8Array {
  return Buffer.concat([Buffer.from(`${headLength}\n`), bytes]);
}

function fromFile(fileName: string, content: Buffer): GoldenBody {
  if (fileName.endsWith('.json')) return { bytes: content, headLength: -1 };
  const end = content.subarray(0, 12).indexOf(10);
  const digits = content.subarray(0, Math.max(end, 0)).toString('latin1');
  if (!/^\d+$/.test(digits) || Number(digits) > content.byteLength - end - 1)
    throw invalid(`${GOLDEN}/${fileName}: expected the length of its JSON part in the first line`);
  return { bytes: content.subarray(end + 1), headLength: Number(digits) };
}

async function readSettings(folder: string): Promise<z.output<typeof settingsSchema>> {
  const text = await readFile(join(folder, SETTINGS), 'utf8').catch(() => '{}');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('MODEL_INVALID', `${GOLDEN}/${SETTINGS}: not JSON`, { cause });
  }
  const read = settingsSchema.safeParse(document);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw invalid(`${GOLDEN}/${SETTINGS} ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

/** undefined where the version ships none. `place` is the version's folder. */
export async function readGolden(place: string): Promise<GoldenSet | undefined> {
  const folder = join(place, GOLDEN);
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return undefined;
  const requests = names.filter((name) => CASE.exec(name)?.[2] === 'request').sort();
  if (requests.length === 0) throw invalid(`${GOLDEN}: expected a file such as case.request.json, got none`);
  if (requests.length > MOST_CASES) throw invalid(`${GOLDEN}: expected at most ${MOST_CASES} requests`);
  const settings = await readSettings(folder);
  const cases: GoldenCase[] = [];
  for (const fileName of requests) {
    const name = CASE.exec(fileName)?.[1] ?? '';
    const request = fromFile(fileName, await readFile(join(folder, fileName)));
    const answerName = names.find(
      (other) => other === `${name}.answer.json` || other === `${name}.answer.bin`,
    );
    const answer =
      answerName === undefined ? undefined : fromFile(answerName, await readFile(join(folder, answerName)));
    cases.push({
      name,
      inputs: readTensors(request, 'inputs', `${GOLDEN}/${fileName}`),
      outputs: answer === undefined ? [] : readTensors(answer, 'outputs', `${GOLDEN}/${answerName}`),
    });
  }
  return { cases, tolerance: new Map(Object.entries(settings.tolerance)), latencyMs: settings.latencyMs };
}
