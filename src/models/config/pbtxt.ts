/**
 * Reads a config.pbtxt (protobuf text format) into a plain object with the field names of ModelConfig. Every error
 * carries line and column. Pure.
 */
import protobuf from 'protobufjs/light.js';
import textFormat from 'protobufjs/ext/textformat.js';
import { SluiceError } from '../../core/errors.js';
import { didYouMean } from '../../core/nearest.js';
import { MODEL_CONFIG_TYPE, fieldNames } from './fields.js';

/** A configuration whose field names and types are right; what its values mean is not checked yet. */
export type RawConfig = Record<string, unknown>;

const LONGEST_SEARCH = 200;
const LINE_SUFFIX = / \(line (\d+)\)$/;

/** The parser's error message without its line, or undefined where `text` parses. */
function failure(text: string): { message: string; line: number | undefined } | undefined {
  try {
    textFormat.fromText(MODEL_CONFIG_TYPE, text);
    return undefined;
  } catch (error) {
    const whole = error instanceof Error ? error.message : String(error);
    const line = LINE_SUFFIX.exec(whole)?.[1];
    return { message: whole.replace(LINE_SUFFIX, ''), line: line === undefined ? undefined : Number(line) };
  }
}

/**
 * The parser names the line of some errors and the column of none. An error shows as soon as the text up to it is there,
 * so the shortest beginning of the text with the same error ends at the culprit.
 */
function locate(text: string, message: string, line: number | undefined): { line: number; column: number } {
  const lines = text.split('\n');
  const endOfLine = (count: number): number => lines.slice(0, count).join('\n').length;
  let low = line ?? 1;
  let high = line ?? lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (failure(text.slice(0, endOfLine(middle)))?.message === message) high = middle;
    else low = middle + 1;
  }
  const begin = low === 1 ? 0 : endOfLine(low - 1) + 1;
  let end = endOfLine(low);
  // A file that is one endless line gets a rough column instead of an endless search.
  const least = Math.max(begin + 1, end - LONGEST_SEARCH);
  while (end > least && failure(text.slice(0, end - 1))?.message === message) end -= 1;
  while (end > begin + 1 && /\w/.test(text[end - 1] ?? '') && /\w/.test(text[end - 2] ?? '')) end -= 1;
  // A missing value and a wrong one are the same error, which then already shows at the colon.
  if (text[end - 1] === ':') end += text.slice(end, endOfLine(low)).search(/\S/) + 1;
  return { line: low, column: Math.max(1, end - begin) };
}

function readable(message: string): string {
  const unknown = /^\.?([\w.]+): unknown field '(.*)'$/.exec(message);
  if (unknown !== null) {
    const [, typeName = '', word = ''] = unknown;
    const type = MODEL_CONFIG_TYPE.root.lookupType(typeName);
    return `unknown field "${word}" of ${typeName}${didYouMean(word, fieldNames(type))}`;
  }
  return message.replace(/^\./, '');
}

function plainScalar(value: unknown): unknown {
  // 64-bit integers come as objects of the `long` package.
  if (typeof value !== 'object') return value;
  const text = (value as { toString: () => string }).toString();
  return Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

function plainValue(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return plainMessage(field.resolvedType, value);
  if (field.resolvedType instanceof protobuf.Enum)
    return field.resolvedType.valuesById[value as number] ?? value;
  return plainScalar(value);
}

/** Enum numbers become names; maps become Maps, so that no key of a file meets a prototype. */
function plainMessage(type: protobuf.Type, message: unknown): RawConfig {
  const plain: RawConfig = {};
  const given = message as Record<string, unknown>;
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(given, field.name)) continue;
    const value = given[field.name];
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries(value as object);
      plain[field.name] = new Map(entries.map(([key, item]) => [key, plainValue(field, item)]));
    } else if (field.repeated) {
      plain[field.name] = (value as unknown[]).map((item) => plainValue(field, item));
    } else {
      plain[field.name] = plainValue(field, value);
    }
  }
  return plain;
}

/** `fileName` is for messages only. */
export function parsePbtxt(source: string, fileName: string): RawConfig {
  const text = source.replace(/^\uFEFF/, '');
  const failed = failure(text);
  if (failed !== undefined) {
    const { line, column } = locate(text, failed.message, failed.line);
    throw new SluiceError(
      'CONFIG_INVALID',
      `${fileName} line ${line} column ${column}: ${readable(failed.message)}`,
    );
  }
  return plainMessage(MODEL_CONFIG_TYPE, textFormat.fromText(MODEL_CONFIG_TYPE, text));
}
