/**
 * The same calls over HTTP with binary tensors (the V2 binary extension): for batch work, for servers behind proxies that let
 * no WebSocket through, and for other servers of the protocol. Nothing but `fetch` is needed.
 */
import { onAbort } from './abort.js';
import { clientError, InferError } from './errors.js';
import { HEAD_LENGTH, readAnswer, readJson, refusal } from './http-answer.js';
import { encodeInputs, type EncodedInput } from './inputs.js';
import type {
  InferClient,
  InferOptions,
  InferResult,
  Inputs,
  ModelInfo,
  OutputTypes,
  TensorInfo,
} from './model.js';
import { checkNumber, MOST_RESENDS } from './request.js';

const MOST_IN_FLIGHT = 16;
const DEADLINE_MS = 30_000;
/** Of a timer, and of the header: a longer delay would wrap around and fire at once. */
const LONGEST_DEADLINE_MS = 2 ** 31 - 1;

export interface HttpOptions {
  /** Requests at once; others wait. */
  readonly maxInFlight?: number;
  /** For calls that say nothing themselves; 0: none. */
  readonly deadlineMs?: number;
  /** For calls that say nothing themselves: may be sent again where the connection failed. */
  readonly idempotent?: boolean;
  /** Sent with every request, for instance `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export class HttpClient implements InferClient {
  private readonly base: string;
  private readonly known = new Map<string, Promise<ModelInfo>>();
  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly ending = new AbortController();

  constructor(
    url: string | URL,
    private readonly options: HttpOptions,
  ) {
    checkNumber('maxInFlight', options.maxInFlight ?? MOST_IN_FLIGHT, 1);
    checkNumber('deadlineMs', options.deadlineMs ?? DEADLINE_MS, 0);
    const parsed = new URL(url);
    const protocol = { 'ws:': 'http:', 'wss:': 'https:' }[parsed.protocol] ?? parsed.protocol;
    this.base = `${protocol}//${parsed.host}${parsed.pathname.replace(/\/(v2\/ws)?$/, '')}/v2/models/`;
  }

  async infer<Outputs extends OutputTypes = OutputTypes>(
    model: string,
    inputs: Inputs,
    options: InferOptions = {},
  ): Promise<InferResult<Outputs>> {
    options.signal?.throwIfAborted();
    const givenMs = options.deadlineMs ?? this.options.deadlineMs ?? DEADLINE_MS;
    checkNumber('deadlineMs', givenMs, 0);
    const deadlineMs = Math.min(givenMs, LONGEST_DEADLINE_MS);
    const end = new AbortController();
    const timer =
      deadlineMs > 0
        ? setTimeout(() => {
            end.abort(
              new InferError('DEADLINE_PASSED', 'The deadline passed before the answer came', {
                mayHaveRun: true,
              }),
            );
          }, deadlineMs)
        : undefined;
    const signals = [options.signal, this.ending.signal].filter((signal) => signal !== undefined);
    const stopWatching = signals.map((signal) =>
      onAbort(signal, () => {
        end.abort(signal.reason);
      }),
    );
    if (this.ending.signal.aborted) end.abort(this.ending.signal.reason);
    const deadlineAtMs = performance.now() + deadlineMs;
    try {
      await this.enter(end.signal);
      try {
        const encoded = encodeInputs(inputs, await until(this.model(model), end.signal), options);
        const leftMs = deadlineMs > 0 ? Math.max(1, Math.ceil(deadlineAtMs - performance.now())) : 0;
        return (await this.ask(model, encoded, options, leftMs, end.signal)) as InferResult<Outputs>;
      } finally {
        this.leave();
      }
    } catch (error) {
      throw end.signal.aborted ? end.signal.reason : error;
    } finally {
      clearTimeout(timer);
      for (const stop of stopWatching) stop();
    }
  }

  async ready(): Promise<void> {
    await this.enter(this.ending.signal);
    this.leave();
  }

  /** Gives up what is in flight. */
  close(): void {
    this.ending.abort(clientError('CLOSED', 'The client was closed', { mayHaveRun: true }));
  }

  /** The signature of a model, asked for once; one that is not known is asked for again. */
  private model(name: string): Promise<ModelInfo> {
    let known = this.known.get(name);
    if (known === undefined) {
      known = this.fetchModel(name);
      this.known.set(name, known);
      known.catch(() => this.known.delete(name));
    }
    return known;
  }

  private async fetchModel(name: string): Promise<ModelInfo> {
    const init = { signal: this.ending.signal };
    const body = (await this.fetch(encodeURIComponent(name), init, true, readJson)) as Partial<
      Record<'versions' | 'inputs' | 'outputs', unknown>
    >;
    const tensors = (value: unknown): TensorInfo[] => (Array.isArray(value) ? (value as TensorInfo[]) : []);
    return {
      name,
      version: undefined,
      versions: Array.isArray(body.versions) ? body.versions.map(String) : [],
      maxRows: 0,
      inputs: tensors(body.inputs),
      outputs: tensors(body.outputs),
    };
  }

  private async ask(
    model: string,
    inputs: readonly EncodedInput[],
    options: InferOptions,
    leftMs: number,
    signal: AbortSignal,
  ): Promise<InferResult> {
    const head = new TextEncoder().encode(JSON.stringify(requestHead(inputs, options)));
    const headers: Record<string, string> = {
      'content-type': 'application/octet-stream',
      [HEAD_LENGTH]: String(head.byteLength),
    };
    if (leftMs > 0) headers['sluice-deadline-ms'] = String(leftMs);
    if (options.key !== undefined) headers['sluice-routing-key'] = options.key;
    if (options.traceparent !== undefined) headers['traceparent'] = options.traceparent;
    const version = options.version === undefined ? '' : `/versions/${encodeURIComponent(options.version)}`;
    const body = joined([head, ...inputs.map(({ bytes }) => bytes)]);
    const mayRepeat = options.idempotent ?? this.options.idempotent ?? false;
    const path = `${encodeURIComponent(model)}${version}/infer`;
    return this.fetch(path, { method: 'POST', headers, body, signal }, mayRepeat, readAnswer);
  }

  /** A connection may also end in the middle of an answer, hence `read` belongs to the attempt. */
  private async fetch<T>(
    path: string,
    init: RequestInit,
    mayRepeat: boolean,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const headers = { ...this.options.headers, ...(init.headers as Record<string, string> | undefined) };
    for (let resends = 0; ; resends += 1) {
      try {
        const response = await fetch(this.base + path, { ...init, headers });
        if (response.ok) return await read(response);
        throw await refusal(response);
      } catch (error) {
        if (error instanceof InferError || init.signal?.aborted === true) throw error;
        if (mayRepeat && resends < MOST_RESENDS) continue;
        const message = 'The connection failed before the answer came';
        throw clientError('CONNECTION_LOST', message, { mayHaveRun: true, cause: error });
      }
    }
  }

  private async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.inFlight < (this.options.maxInFlight ?? MOST_IN_FLIGHT)) {
      this.inFlight += 1;
      return;
    }
    // Who leaves hands its place over.
    await new Promise<void>((resolve, reject) => {
      const stopWatching = onAbort(signal, () => {
        this.waiting.splice(this.waiting.indexOf(take), 1);
        reject(signal.reason as Error);
      });
      const take = (): void => {
        stopWatching();
        resolve();
      };
      this.waiting.push(take);
    });
  }

  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.inFlight -= 1;
    else next();
  }
}

/** What many wait for goes on when one of them gives up. */
function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopWatching = onAbort(signal, () => {
      reject(signal.reason as Error);
    });
    promise.then(resolve, reject).finally(stopWatching);
  });
}

function requestHead(inputs: readonly EncodedInput[], options: InferOptions): object {
  const outputs = (options.outputs ?? []).map((name) => ({ name, parameters: { binary_data: true } }));
  return {
    inputs: inputs.map(({ name, datatype, shape, bytes }) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: bytes.byteLength },
    })),
    ...(outputs.length > 0 ? { outputs } : {}),
    parameters: {
      binary_data_output: true,
      ...((options.priority ?? 0) > 0 ? { priority: options.priority } : {}),
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

/** A client of the same calls over HTTP. Nothing is sent before the first call. */
export function httpClient(url: string | URL, options: HttpOptions = {}): HttpClient {
  return new HttpClient(url, options);
}
