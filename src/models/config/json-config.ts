/**
 * Reads a config.json: ModelConfig with the same field names (or their camelCase forms) and a `sluice` object for what
 * Triton has no word for. Gives the same plain object as pbtxt.ts. Every error names its line, column and path. Pure.
 */
import protobuf from 'protobufjs/light.js';
import { SluiceError } from '../../core/errors.js';
import { didYouMean } from '../../core/nearest.js';
import { fieldNames, fieldOfKey, MODEL_CONFIG_TYPE } from './fields.js';
import { jsonSource } from './json-places.js';
import type { RawConfig } from './pbtxt.js';
import { whereIn, type ConfigSource, type FieldPath } from './places.js';

const MAX_DEPTH = 32;
const INTEGER_LIMITS: Record<string, readonly [bigint, bigint]> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

class JsonReader {
  constructor(private readonly source: ConfigSource) {}

  /** `Object.entries`, of an object only. */
  entries(value: unknown, path: FieldPath, expected: string): Array<[string, unknown]> {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.refuse(path, expected, value);
    return Object.entries(value);
  }

  message(type: protobuf.Type, value: unknown, path: FieldPath, depth: number): RawConfig {
    if (depth > MAX_DEPTH) this.refuse(path, `at most ${MAX_DEPTH} levels`, '...');
    const plain: RawConfig = {};
    const chosen = new Map<string, string>();
    for (const [key, item] of this.entries(value, path, `an object (${type.name})`)) {
      const field = fieldOfKey(type, key);
      if (field === undefined) {
        const hint = didYouMean(key, fieldNames(type));
        throw this.invalid([...path, key], `unknown field of ${type.name}${hint}`);
      }
      const inner = [...path, field.name];
      if (Object.hasOwn(plain, field.name))
        throw this.invalid(inner, `given twice, as ${field.name} and in camelCase`);
      // As in protobuf's JSON form: null means not given.
      if (item === null) continue;
      const rival = field.partOf ? chosen.get(field.partOf.name) : undefined;
      if (rival !== undefined) throw this.invalid(inner, `cannot be given together with ${rival}`);
      if (field.partOf) chosen.set(field.partOf.name, field.name);
      plain[field.name] = this.field(field, item, inner, depth);
    }
    return plain;
  }

  private field(field: protobuf.Field, value: unknown, path: FieldPath, depth: number): unknown {
    if (field instanceof protobuf.MapField) {
      const entries = this.entries(value, path, 'an object (a map)');
      return new Map(entries.map(([key, item]) => [key, this.value(field, item, [...path, key], depth)]));
    }
    if (!field.repeated) return this.value(field, value, path, depth);
    if (!Array.isArray(value)) this.refuse(path, 'a list', value);
    return value.map((item: unknown, index) => this.value(field, item, [...path, index], depth));
  }

  private value(field: protobuf.Field, value: unknown, path: FieldPath, depth: number): unknown {
    if (field.resolvedType instanceof protobuf.Type)
      return this.message(field.resolvedType, value, path, depth + 1);
    if (field.resolvedType instanceof protobuf.Enum) return this.enumName(field.resolvedType, value, path);
    if (field.type in INTEGER_LIMITS) return this.integer(value, field.type, path);
    const wanted = field.type === 'bool' ? 'boolean' : field.type === 'string' ? 'string' : 'number';
    if (typeof value !== wanted)
      this.refuse(path, wanted === 'boolean' ? 'true or false' : `a ${wanted}`, value);
    return value;
  }

  private integer(value: unknown, type: string, path: FieldPath): number | string {
    const isText = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
    if (!isText && !(typeof value === 'number' && Number.isSafeInteger(value))) {
      this.refuse(path, `an ${type} (a whole number, or a string of one)`, value);
    }
    const exact = BigInt(value);
    const [least, most] = INTEGER_LIMITS[type] ?? [0n, 0n];
    if (exact < least || exact > most) this.refuse(path, `an ${type}`, value);
    const number = Number(exact);
    return Number.isSafeInteger(number) ? number : String(exact);
  }

  private enumName(type: protobuf.Enum, value: unknown, path: FieldPath): string {
    if (typeof value === 'string' && Object.hasOwn(type.values, value)) return value;
    const name = typeof value === 'number' ? type.valuesById[value] : undefined;
    if (name !== undefined) return name;
    const hint = typeof value === 'string' ? didYouMean(value, Object.keys(type.values)) : '';
    return this.refuse(path, `one of ${Object.keys(type.values).join(', ')}${hint}`, value);
  }

  private invalid(path: FieldPath, what: string): SluiceError {
    return new SluiceError('CONFIG_INVALID', `${whereIn(this.source, path)}: ${what}`);
  }

  private refuse(path: FieldPath, expected: string, got: unknown): never {
    const text = JSON.stringify(got) ?? String(got);
    const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
    throw this.invalid(path, `expected ${expected}, got ${shown}`);
  }
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
export function parseJsonConfig(
  text: string,
  fileName: string,
): { config: RawConfig; sluice: unknown; source: ConfigSource } {
  const json = text.replace(/^\uFEFF/, '');
  const document = parseJson(json, fileName);
  const source = jsonSource(json, fileName);
  const reader = new JsonReader(source);
  const entries = reader.entries(document, [], 'an object (ModelConfig)');
  const triton = Object.fromEntries(entries.filter(([key]) => key !== 'sluice' && key !== '$schema'));
  const sluice = entries.find(([key]) => key === 'sluice')?.[1];
  return { config: reader.message(MODEL_CONFIG_TYPE, triton, [], 0), sluice, source };
}
