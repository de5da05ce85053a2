/**
 * Answers of a V2 server over HTTP: results out of a JSON part with bytes behind it, and errors. Sizes are compared with the
 * bytes that came before anything is looked at.
 */
import { isDataType, type Tensor } from './data-types.js';
import { clientError, InferError } from './errors.js';
import type { InferResult } from './model.js';
import { define, tensorOf } from './outputs.js';

export const HEAD_LENGTH = 'inference-header-content-length';

/** V2 over HTTP has no codes: what the status stands for. */
const CODES: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  404: 'MODEL_NOT_FOUND',
  413: 'TOO_LARGE',
  429: 'TOO_MANY_IN_FLIGHT',
  499: 'CANCELLED',
  500: 'INTERNAL',
  503: 'NOT_READY',
  504: 'DEADLINE_PASSED',
};

interface AnswerHead {
  readonly model_name?: unknown;
  readonly model_version?: unknown;
  readonly outputs?: unknown;
}

interface OutputHead {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size?: unknown };
}

export async function refusal(response: Response): Promise<InferError> {
  const code = CODES[response.status] ?? `HTTP_${response.status}`;
  const text = await response.text();
  let message = text.slice(0, 500);
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    if (typeof error === 'string') message = error;
  } catch {
    // Not of the protocol: a proxy's own page.
  }
  const retryAfterMs = 1000 * Number(response.headers.get('retry-after') ?? 0);
  return new InferError(code, message, {
    retryAfterMs: Number.isFinite(retryAfterMs) ? retryAfterMs : 0,
    mayHaveRun: response.status >= 500 && response.status !== 503,
  });
}

export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw clientError('BAD_ANSWER', 'expected JSON from the server', { cause: error });
  }
}

export async function readAnswer(response: Response): Promise<InferResult> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const headLength = Number(response.headers.get(HEAD_LENGTH) ?? bytes.byteLength);
  if (!Number.isInteger(headLength) || headLength < 0 || headLength > bytes.byteLength) {
    throw clientError(
      'BAD_ANSWER',
      `expected at most ${bytes.byteLength} for ${HEAD_LENGTH}, got ${headLength}`,
    );
  }
  let head: AnswerHead;
  try {
    head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, headLength))) as AnswerHead;
  } catch (error) {
    throw clientError('BAD_ANSWER', 'expected JSON at the start of the answer', { cause: error });
  }
  const outputs: Record<string, Tensor> = {};
  let at = headLength;
  for (const output of Array.isArray(head.outputs) ? (head.outputs as OutputHead[]) : []) {
    const size = output.parameters?.binary_data_size ?? 0;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || at + size > bytes.byteLength) {
      throw clientError(
        'BAD_ANSWER',
        `expected at most ${bytes.byteLength - at} bytes for output ${output.name}, got ${JSON.stringify(size)}`,
      );
    }
    if (!isDataType(output.datatype) || !Array.isArray(output.shape)) {
      throw clientError('BAD_ANSWER', `expected a data type and a shape of output ${output.name}`);
    }
    define(
      outputs,
      output.name,
      tensorOf(output.name, output.datatype, output.shape, bytes.subarray(at, at + size)),
    );
    at += size;
  }
  return {
    model: text(head.model_name),
    version: text(head.model_version),
    outputs,
    times: undefined,
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
