/**
 * The file of API keys: `{"keys": [{"id", "sha256", "scopes", "models"?}]}` as JSON or YAML. Holds hashes only, so that who
 * reads the file cannot use a key. Pure but for reading the file.
 */
import { createHash, randomBytes } from 'node:crypto';
import { parse } from 'yaml';
import { z } from 'zod';
import { SluiceError } from '../core/errors.js';
import { problemText } from '../core/problem.js';

/** `admin` includes `metrics`; neither includes `infer`. */
export const SCOPES = ['infer', 'admin', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const keyEntry = z.strictObject({
  id: z
    .string('expected a text that names the key in logs')
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"'),
  sha256: z
    .string('expected the SHA-256 of the key, as "sluice keys new" prints it')
    .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits'),
  scopes: z
    .array(z.enum(SCOPES, `expected one of ${SCOPES.join(', ')}`), 'expected a list of scopes')
    .min(1, 'expected at least one scope'),
  models: z
    .array(z.string('expected the name of a model').regex(MODEL_NAME, 'expected the name of a model'))
    .min(1, 'expected at least one model; leave the field out for all of them')
    .optional(),
});

export type KeyEntry = z.output<typeof keyEntry>;

const keyFile = z.strictObject({ keys: z.array(keyEntry, 'expected a list of keys') });

/** Throws a SluiceError that names the place of what is wrong. */
export function parseKeyFile(text: string, fileName: string): readonly KeyEntry[] {
  let given: unknown;
  try {
    given = parse(text);
  } catch (error) {
    const told = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new SluiceError('CONFIG_INVALID', `${fileName}: ${told}`);
  }
  const result = keyFile.safeParse(given);
  if (!result.success)
    throw new SluiceError('CONFIG_INVALID', problemText(result.error.issues, given, fileName));
  const { keys } = result.data;
  for (const [index, { id, sha256 }] of keys.entries()) {
    const earlier = keys.slice(0, index);
    if (earlier.some((other) => other.id === id))
      throw new SluiceError('CONFIG_INVALID', `${fileName}: keys[${index}].id: "${id}" is there twice`);
    if (earlier.some((other) => other.sha256 === sha256))
      throw new SluiceError('CONFIG_INVALID', `${fileName}: keys[${index}].sha256: this key is there twice`);
  }
  return keys;
}

export function hashKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** 256 random bits, so that its plain SHA-256 is as good as a slow hash; the prefix lets scanners of secrets find it. */
export function newKey(): string {
  return `sluice_${randomBytes(32).toString('base64url')}`;
}
