/**
 * V2 requests written by hand and replies taken apart, byte by byte, so that a test's truth owes nothing to the code
 * under test. JSON numbers are given as text: `JSON.stringify` cannot write 64-bit integers or NaN.
 */
import { parseExactJson, type Json } from './exact-json.js';
import { ask, type RawReply } from './raw-http.js';

export interface WireInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** JSON text of `data`. Exactly one of `json` and `bytes`. */
  readonly json?: string;
  readonly bytes?: Buffer;
}

export interface WireRequest {
  readonly inputs: readonly WireInput[];
  /** JSON text of further members, e.g. `"id":"a","outputs":[]`. */
  readonly more?: string;
}

export interface WireOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** undefined for a binary output. */
  readonly data: Json[] | undefined;
  readonly bytes: Buffer | undefined;
}

export interface WireAnswer {
  readonly status: number;
  readonly error: string;
  readonly head: Record<string, Json>;
  readonly outputs: readonly WireOutput[];
}

interface HeadOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: Json[] | undefined;
  readonly parameters?: { readonly binary_data_size?: number };
}

export interface WireBody {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

export function wireBody({ inputs, more = '' }: WireRequest): WireBody {
  const texts = inputs.map(({ name, datatype, shape, json, bytes }) => {
    const start = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
    return bytes === undefined
      ? `${start},"data":${json}}`
      : `${start},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const head = Buffer.from(`{"inputs":[${texts.join(',')}]${more === '' ? '' : `,${more}`}}`);
  const blobs = inputs.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  const headers: Record<string, string> =
    blobs.length === 0 ? {} : { 'inference-header-content-length': String(head.byteLength) };
  return { body: Buffer.concat([head, ...blobs]), headers };
}

export function readAnswer(reply: RawReply | undefined): WireAnswer {
  if (reply === undefined) throw new Error('expected a reply, the connection was closed');
  const headLength = Number(reply.headers['inference-header-content-length'] ?? reply.body.byteLength);
  const head = parseExactJson(reply.body.subarray(0, headLength)) as Record<string, Json>;
  if (reply.status !== 200) {
    return { status: reply.status, error: String(head['error']), head, outputs: [] };
  }
  let at = headLength;
  const outputs = (head['outputs'] as unknown as HeadOutput[]).map((output) => {
    const { name, datatype, shape, data, parameters } = output;
    const size = parameters?.binary_data_size;
    if (size === undefined) return { name, datatype, shape, data, bytes: undefined };
    const bytes = reply.body.subarray(at, at + size);
    at += size;
    return { name, datatype, shape, data, bytes };
  });
  if (at !== reply.body.byteLength) {
    throw new Error(`expected a reply of ${at} bytes, got ${reply.body.byteLength}`);
  }
  return { status: 200, error: '', head, outputs };
}

/** `model` may name a version too: `versioned/versions/1`. */
export async function infer(port: number, model: string, request: WireRequest): Promise<WireAnswer> {
  const { body, headers } = wireBody(request);
  return readAnswer(await ask(port, 'POST', `/v2/models/${model}/infer`, body, headers));
}

export function fp32(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

export function int64(...values: bigint[]): Buffer {
  return Buffer.from(BigInt64Array.from(values).buffer);
}

/** Strings as V2 binary has them: a length of four bytes, then the bytes. */
export function byteStrings(...values: ReadonlyArray<string | Buffer>): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const bytes = Buffer.from(value as string);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.byteLength);
      return [length, bytes];
    }),
  );
}
