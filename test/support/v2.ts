/**
 * Owns: V2 requests as bytes (JSON, binary, mixed, raw) and the reading of replies, written apart from the server's code.
 * Reading is strict: a reply that breaks a rule of the protocol throws with what was expected.
 */
import { packElements, unpackElements, type Element } from './elements.js';
import { parseExactJson, type Json } from './exact-json.js';

export type Form = 'json' | 'binary';

export interface V2Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly elements: readonly Element[];
}

export interface V2Input extends V2Tensor {
  /** Default json. */
  readonly form?: Form;
}

export interface V2RequestParts {
  readonly id?: string;
  readonly parameters?: Record<string, string | number | boolean>;
  readonly inputs: readonly V2Input[];
  readonly outputs?: ReadonlyArray<{ readonly name: string; readonly form?: Form }>;
}

export interface WireRequest {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export interface V2Output extends V2Tensor {
  readonly form: Form;
}

export interface V2Reply {
  readonly id: string | undefined;
  readonly modelName: string;
  readonly modelVersion: string;
  readonly outputs: ReadonlyMap<string, V2Output>;
}

const HEADER_LENGTH = 'inference-header-content-length';

type AnyHeaders = Headers | Record<string, string | string[] | undefined>;

function elementText(element: Element): string {
  if (element instanceof Uint8Array) return JSON.stringify(Buffer.from(element).toString('utf8'));
  return Object.is(element, -0) ? '-0.0' : String(element);
}

/** Names without a form of their own take the request's. */
export function buildRequest({ id, parameters, inputs, outputs }: V2RequestParts): WireRequest {
  const blobs: Buffer[] = [];
  const inputTexts = inputs.map(({ name, datatype, shape, elements, form }) => {
    const head = `"name":${JSON.stringify(name)},"shape":${JSON.stringify(shape)},"datatype":"${datatype}"`;
    if (form !== 'binary') return `{${head},"data":[${elements.map(elementText).join(',')}]}`;
    const blob = packElements(datatype, elements);
    blobs.push(blob);
    return `{${head},"parameters":{"binary_data_size":${blob.length}}}`;
  });
  const members = [`"inputs":[${inputTexts.join(',')}]`];
  if (id !== undefined) members.unshift(`"id":${JSON.stringify(id)}`);
  if (parameters) members.push(`"parameters":${JSON.stringify(parameters)}`);
  if (outputs) members.push(`"outputs":[${outputs.map(outputText).join(',')}]`);
  const json = Buffer.from(`{${members.join(',')}}`);
  const hasBlobs = inputs.some(({ form }) => form === 'binary');
  const headers: Record<string, string> = hasBlobs ? { [HEADER_LENGTH]: String(json.length) } : {};
  return { headers, body: Buffer.concat([json, ...blobs]) };
}

function outputText({ name, form }: { readonly name: string; readonly form?: Form }): string {
  const parameters = form === undefined ? '' : `,"parameters":{"binary_data":${form === 'binary'}}`;
  return `{"name":${JSON.stringify(name)}${parameters}}`;
}

/** Everything as JSON. */
export function buildJsonRequest(parts: V2RequestParts): WireRequest {
  return buildRequest({
    ...parts,
    inputs: parts.inputs.map((input) => ({ ...input, form: 'json' as const })),
  });
}

/** Inputs as blobs; outputs asked for as blobs, by the request's parameter. */
export function buildBinaryRequest(parts: V2RequestParts): WireRequest {
  return buildRequest({
    ...parts,
    inputs: parts.inputs.map((input) => ({ ...input, form: 'binary' as const })),
    parameters: { binary_data_output: true, ...parts.parameters },
  });
}

/** No JSON at all: the body is the one input's elements (a single BYTES element goes without its length). */
export function buildRawRequest(datatype: string, elements: readonly Element[]): WireRequest {
  const packed = packElements(datatype, elements);
  return { headers: { [HEADER_LENGTH]: '0' }, body: datatype === 'BYTES' ? packed.subarray(4) : packed };
}

function headerOf(headers: AnyHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = headers[name];
  return Array.isArray(found) ? found[0] : found;
}

function need<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`expected ${what} in the reply, got none`);
  return found;
}

function objectOf(json: Json | undefined, what: string): { [key: string]: Json } {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new Error(`expected ${what} to be an object, got ${String(json)}`);
}

function textOf(json: Json | undefined, what: string): string {
  if (typeof json === 'string') return json;
  throw new Error(`expected ${what} to be a string, got ${String(json)}`);
}

function arrayOf(json: Json | undefined, what: string): Json[] {
  if (Array.isArray(json)) return json;
  throw new Error(`expected ${what} to be an array, got ${String(json)}`);
}

function elementFromJson(datatype: string, json: Json): Element {
  if (datatype === 'BYTES' && typeof json === 'string') return Buffer.from(json, 'utf8');
  if (datatype === 'BOOL' && typeof json === 'boolean') return json;
  const isNumber = typeof json === 'number' || typeof json === 'bigint';
  if (isNumber && /^U?INT64$/.test(datatype)) return BigInt(json);
  if (isNumber && datatype === 'FP32') return Math.fround(Number(json));
  if (isNumber && !['BYTES', 'BOOL', 'FP16', 'BF16'].includes(datatype)) return Number(json);
  throw new Error(`expected JSON for an element of ${datatype}, got ${typeof json}`);
}

/** Reads a successful reply and checks it against the rules of the protocol. */
export function parseReply(headers: AnyHeaders, body: Buffer): V2Reply {
  const headerLength = headerOf(headers, HEADER_LENGTH);
  const jsonLength = headerLength === undefined ? body.length : Number(headerLength);
  const reply = objectOf(parseExactJson(body.subarray(0, jsonLength)), 'the reply');
  let at = jsonLength;
  const outputs = new Map<string, V2Output>();
  for (const item of arrayOf(reply['outputs'], 'outputs')) {
    const output = objectOf(item, 'an output');
    const name = textOf(output['name'], 'an output name');
    if (outputs.has(name)) throw new Error(`expected output '${name}' once, got it twice`);
    const datatype = textOf(output['datatype'], `datatype of '${name}'`);
    const shape = arrayOf(output['shape'], `shape of '${name}'`).map(Number);
    const isJson = output['data'] !== undefined;
    let elements: Element[];
    if (isJson) {
      elements = arrayOf(output['data'], `data of '${name}'`).map((json) => elementFromJson(datatype, json));
    } else {
      const size = Number(
        need(objectOf(output['parameters'], `parameters of '${name}'`)['binary_data_size'], 'a size'),
      );
      if (at + size > body.length)
        throw new Error(`expected ${at + size} bytes for '${name}', got ${body.length}`);
      elements = unpackElements(datatype, body.subarray(at, at + size));
      at += size;
    }
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (elements.length !== count)
      throw new Error(`expected ${count} elements of '${name}', got ${elements.length}`);
    outputs.set(name, { name, datatype, shape, elements, form: isJson ? 'json' : 'binary' });
  }
  if (at !== body.length)
    throw new Error(`expected the reply to end at byte ${at}, got ${body.length} bytes`);
  const contentType = jsonLength === body.length ? 'application/json' : 'application/octet-stream';
  if (headerOf(headers, 'content-type') !== contentType) {
    throw new Error(`expected content type ${contentType}, got ${headerOf(headers, 'content-type')}`);
  }
  return {
    id: reply['id'] === undefined ? undefined : textOf(reply['id'], 'id'),
    modelName: textOf(reply['model_name'], 'model_name'),
    modelVersion: textOf(reply['model_version'], 'model_version'),
    outputs,
  };
}

/** The message of an error reply. */
export function parseError(body: Buffer): string {
  return textOf(objectOf(parseExactJson(body), 'the error')['error'], 'error');
}
