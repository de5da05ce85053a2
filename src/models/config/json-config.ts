/**
 * Reads a config.json: ModelConfig with the same field names (or their camelCase forms) and a `sluice` object for what
 * Triton has no word for. Gives the same plain object as pbtxt.ts. Every error names its JSON path. Pure.
 */
import protobuf from 'protobufjs/light.js';
import { SluiceError } from '../../core/errors.js';
import { didYouMean } from '../../core/nearest.js';
import { MODEL_CONFIG_TYPE, fieldNames } from './fields.js';
import type { RawConfig } from './pbtxt.js';

const MAX_DEPTH = 32;
const INTEGER_LIMITS: Record<string, readonly [bigint, bigint]> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

function refuse(path: string, expected: string, got: unknown): never {
  const text = JSON.stringify(got) ?? String(got);
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  throw new SluiceError('CONFIG_INVALID', `${path}: expected ${expected}, got ${shown}`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
}

function findField(type: protobuf.Type, key: string): protobuf.Field | undefined {
  return type.fieldsArray.find((field) => field.name === key || camelCase(field.name) === key);
}

function asObject(value: unknown, path: string, expected: string): Array<[string, unknown]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path, expected, value);
  return Object.entries(value);
}

function readInteger(value: unknown, type: string, path: string): number | string {
  const isText = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  if (!isText && !(typeof value === 'number' && Number.isSafeInteger(value))) {
    refuse(path, `an ${type} (a whole number, or a string of one)`, value);
  }
  const exact = BigInt(value);
  const [least, most] = INTEGER_LIMITS[type] ?? [0n, 0n];
  if (exact < least || exact > most) refuse(path, `an ${type}`, value);
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : String(exact);
}

function readEnum(type: protobuf.Enum, value: unknown, path: string): string {
  if (typeof value === 'string' && Object.hasOwn(type.values, value)) return value;
  const name = typeof value === 'number' ? type.valuesById[value] : undefined;
  if (name !== undefined) return name;
  const hint = typeof value === 'string' ? didYouMean(value, Object.keys(type.values)) : '';
  return refuse(path, `one of ${Object.keys(type.values).join(', ')}${hint}`, value);
}

function readValue(field: protobuf.Field, value: unknown, path: string, depth: number): unknown {
  if (field.resolvedType instanceof protobuf.Type)
    return readMessage(field.resolvedType, value, path, depth + 1);
  if (field.resolvedType instanceof protobuf.Enum) return readEnum(field.resolvedType, value, path);
  if (field.type in INTEGER_LIMITS) return readInteger(value, field.type, path);
  const wanted = field.type === 'bool' ? 'boolean' : field.type === 'string' ? 'string' : 'number';
  if (typeof value !== wanted) refuse(path, wanted === 'boolean' ? 'true or false' : `a ${wanted}`, value);
  return value;
}

function readField(field: protobuf.Field, value: unknown, path: string, depth: number): unknown {
  if (field instanceof protobuf.MapField) {
    const entries = asObject(value, path, 'an object (a map)');
    return new Map(
      entries.map(([key, item]) => [key, readValue(field, item, `${path}[${JSON.stringify(key)}]`, depth)]),
    );
  }
  if (!field.repeated) return readValue(field, value, path, depth);
  if (!Array.isArray(value)) refuse(path, 'a list', value);
  return value.map((item: unknown, index) => readValue(field, item, `${path}[${index}]`, depth));
}

function readMessage(type: protobuf.Type, value: unknown, path: string, depth: number): RawConfig {
  if (depth > MAX_DEPTH) refuse(path, `at most ${MAX_DEPTH} levels`, '...');
  const plain: RawConfig = {};
  const chosen = new Map<string, string>();
  for (const [key, item] of asObject(value, path, `an object (${type.name})`)) {
    const field = findField(type, key);
    const keyPath = `${path}.${key}`;
    if (field === undefined) {
      const hint = didYouMean(key, fieldNames(type));
      throw new SluiceError('CONFIG_INVALID', `${keyPath}: unknown field of ${type.name}${hint}`);
    }
    if (Object.hasOwn(plain, field.name)) {
      throw new SluiceError('CONFIG_INVALID', `${keyPath}: given twice, as ${field.name} and in camelCase`);
    }
    // As in protobuf's JSON form: null means not given.
    if (item === null) continue;
    const rival = field.partOf ? chosen.get(field.partOf.name) : undefined;
    if (rival !== undefined) {
      throw new SluiceError('CONFIG_INVALID', `${keyPath}: cannot be given together with ${rival}`);
    }
    if (field.partOf) chosen.set(field.partOf.name, field.name);
    plain[field.name] = readField(field, item, keyPath, depth);
  }
  return plain;
}

function parseJson(text: string, fileName: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /at position (\d+)/.exec(message)?.[1];
    const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n');
    const column = (before.at(-1) ?? '').length + 1;
    const what = message.replace(/ in JSON at position.*$/s, '');
    throw new SluiceError(
      'CONFIG_INVALID',
      `${fileName} line ${before.length} column ${column}: not JSON: ${what}`,
      { cause: error },
    );
  }
}

/** `fileName` is for messages only. What stands under `sluice` comes back apart, unchecked. */
export function parseJsonConfig(source: string, fileName: string): { config: RawConfig; sluice: unknown } {
  const document = parseJson(source.replace(/^\uFEFF/, ''), fileName);
  const entries = asObject(document, fileName, 'an object (ModelConfig)');
  const triton = Object.fromEntries(entries.filter(([key]) => key !== 'sluice' && key !== '$schema'));
  const sluice = entries.find(([key]) => key === 'sluice')?.[1];
  return { config: readMessage(MODEL_CONFIG_TYPE, triton, fileName, 0), sluice };
}
