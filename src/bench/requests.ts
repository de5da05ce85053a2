/**
 * The requests of a bench as files for the generator: made from the metadata of any V2 server, or given. Each is asked once
 * before the load begins, so that a request that cannot work is told in the server's own words; when answers are verified,
 * that first answer is the truth.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BenchError } from './bench-error.js';
import { encodeFrame } from './frames.js';
import { drawTensor, SeededRandom, type Tensor, type TensorInfo } from './tensors.js';

export interface PreparedRequest {
  readonly name: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyFile: string;
  readonly weight: number;
  readonly rows: number;
  readonly expectFile?: string;
  readonly expectFloatBytes?: number;
  /** What is sent instead of the body, over WebSocket. */
  readonly frameFile?: string;
}

/** What to send to one model. */
export interface ModelChoice {
  readonly model: string;
  readonly version?: string;
  readonly weight: number;
}

export interface RequestOptions {
  readonly url: string;
  readonly folder: string;
  readonly models: readonly ModelChoice[];
  readonly rows: readonly number[];
  /** For dimensions that vary, other than the rows: least and most. */
  readonly length: readonly [number, number];
  /** Without the rows; -1 is drawn from `length`. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** frame: over WebSocket; asked once as V2 binary before. */
  readonly form: 'binary' | 'json' | 'frame';
  readonly deadlineMs: number | undefined;
  /** V2 JSON bodies, instead of made ones. */
  readonly bodyFiles: readonly string[];
  /** Different bodies for each model and number of rows. */
  readonly distinct: number;
  readonly seed: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly isVerified: boolean;
}

interface Metadata {
  readonly inputs: readonly TensorInfo[];
}

const ANSWER_LIMIT_MS = 60_000;
const MOST_TEXT = 300;

function modelPath({ model, version }: ModelChoice): string {
  const path = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

async function ask(url: string, init: RequestInit): Promise<{ headers: Headers; body: Buffer }> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new BenchError(`no answer from ${url}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status === 200) return { headers: response.headers, body };
  throw new BenchError(
    `expected status 200 from ${url}, got ${response.status}: ${body.toString('utf8', 0, MOST_TEXT)}`,
  );
}

async function readMetadata(options: RequestOptions, choice: ModelChoice): Promise<Metadata> {
  const url = options.url + modelPath(choice);
  const { body } = await ask(url, { headers: options.headers });
  const metadata = JSON.parse(body.toString('utf8')) as Partial<Metadata>;
  if (!Array.isArray(metadata.inputs))
    throw new BenchError(`expected the metadata of a V2 model from ${url}`);
  return { inputs: metadata.inputs };
}

/** A first dimension that varies is the rows. */
function chooseShape(info: TensorInfo, rows: number, options: RequestOptions, length: number): number[] {
  const hasRows = info.shape[0] === -1;
  const given = options.shapes.get(info.name);
  const rest = given ?? (hasRows ? info.shape.slice(1) : info.shape);
  return [...(hasRows ? [rows] : []), ...rest].map((dimension) =>
    Number(dimension) < 0 ? length : Number(dimension),
  );
}

interface Body {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

function encode(tensors: readonly Tensor[], form: RequestOptions['form']): Body {
  if (form === 'json') {
    const inputs = tensors.map(({ name, datatype, shape, values }) => {
      if (datatype === 'FP16' || datatype === 'BF16')
        throw new BenchError(
          `input "${name}" is ${datatype}, which has no JSON form: use --form binary`,
          true,
        );
      return { name, datatype, shape, data: values };
    });
    return {
      bytes: Buffer.from(JSON.stringify({ inputs })),
      headers: { 'Content-Type': 'application/json' },
    };
  }
  const inputs = tensors.map(({ name, datatype, shape, bytes }) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: bytes.length },
  }));
  const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return {
    bytes: Buffer.concat([head, ...tensors.map(({ bytes }) => bytes)]),
    headers: {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': String(head.length),
    },
  };
}

/** FP32 bytes at the end of an answer, if that is all that is binary in it. */
function floatBytesOf(body: Buffer, headLength: number): number {
  const { outputs } = JSON.parse(body.toString('utf8', 0, headLength)) as { outputs: readonly TensorInfo[] };
  return outputs.every(({ datatype }) => datatype === 'FP32') ? body.length - headLength : 0;
}

async function tryOnce(request: PreparedRequest, options: RequestOptions): Promise<PreparedRequest> {
  const body = readFileSync(request.bodyFile);
  const answer = await ask(options.url + request.path, { method: 'POST', headers: request.headers, body });
  if (!options.isVerified) return request;
  const expectFile = `${request.bodyFile}.expected`;
  writeFileSync(expectFile, answer.body);
  const headLength = answer.headers.get('inference-header-content-length');
  if (headLength === null) return { ...request, expectFile };
  return { ...request, expectFile, expectFloatBytes: floatBytesOf(answer.body, Number(headLength)) };
}

/** `rows` of a body that somebody gave: the first dimension of its first input. */
function rowsOfBody(file: string, text: string): number {
  try {
    const { inputs } = JSON.parse(text) as { inputs: ReadonlyArray<{ shape: readonly number[] }> };
    return Number(inputs[0]?.shape[0] ?? 1);
  } catch {
    throw new BenchError(`expected a V2 request in JSON in ${file}`, true);
  }
}

function givenRequests(options: RequestOptions, choice: ModelChoice, name: string): PreparedRequest[] {
  return options.bodyFiles.map((bodyFile) => ({
    name: options.bodyFiles.length > 1 ? `${name} ${basename(bodyFile)}` : name,
    path: `${modelPath(choice)}/infer`,
    headers: { ...options.headers, 'Content-Type': 'application/json' },
    bodyFile,
    weight: choice.weight / options.bodyFiles.length,
    rows: rowsOfBody(bodyFile, readFileSync(bodyFile, 'utf8')),
  }));
}

async function madeRequests(
  options: RequestOptions,
  choice: ModelChoice,
  name: string,
): Promise<PreparedRequest[]> {
  const { inputs } = await readMetadata(options, choice);
  const unknown = [...options.shapes.keys()].find((input) => !inputs.some((info) => info.name === input));
  if (unknown !== undefined && options.models.length === 1)
    throw new BenchError(
      `model "${choice.model}" has no input "${unknown}": ${inputs.map((info) => info.name).join(', ')}`,
      true,
    );
  const random = new SeededRandom(options.seed);
  const requests: PreparedRequest[] = [];
  for (const rows of options.rows) {
    for (let i = 0; i < options.distinct; i++) {
      const length = random.length(...options.length);
      const tensors = inputs.map((info) =>
        drawTensor(info, chooseShape(info, rows, options, length), random),
      );
      const { bytes, headers } = encode(tensors, options.form);
      const bodyFile = join(options.folder, `${encodeURIComponent(name)}-${rows}-${i}`);
      writeFileSync(bodyFile, bytes);
      const frameFile = `${bodyFile}.frame`;
      if (options.form === 'frame')
        writeFileSync(frameFile, encodeFrame(choice, tensors, options.deadlineMs));
      requests.push({
        name: options.rows.length > 1 ? `${name} ${rows} rows` : name,
        path: `${modelPath(choice)}/infer`,
        headers: { ...options.headers, ...headers },
        bodyFile,
        weight: choice.weight / options.rows.length / options.distinct,
        rows,
        ...(options.form === 'frame' ? { frameFile } : {}),
      });
    }
  }
  return requests;
}

export async function prepareRequests(options: RequestOptions): Promise<PreparedRequest[]> {
  const requests: PreparedRequest[] = [];
  for (const choice of options.models) {
    const name = choice.version === undefined ? choice.model : `${choice.model}:${choice.version}`;
    const made =
      options.bodyFiles.length > 0
        ? givenRequests(options, choice, name)
        : await madeRequests(options, choice, name);
    for (const request of made) requests.push(await tryOnce(request, options));
  }
  return requests.map((request) =>
    request.frameFile === undefined
      ? request
      : { ...request, bodyFile: request.frameFile, headers: options.headers },
  );
}

/** Frames of a WebSocket protocol as files: sent as they are, with an id of their own. */
export function frameRequests(
  files: readonly string[],
  headers: Readonly<Record<string, string>>,
): PreparedRequest[] {
  return files.map((bodyFile) => ({
    name: basename(bodyFile),
    path: '/',
    headers,
    bodyFile,
    weight: 1,
    rows: 1,
  }));
}

export function meanRows(requests: readonly PreparedRequest[]): number {
  const weight = requests.reduce((sum, request) => sum + request.weight, 0);
  return requests.reduce((sum, request) => sum + request.weight * request.rows, 0) / weight;
}
