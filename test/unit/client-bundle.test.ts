/**
 * What is shipped: the browser's client in one file, its size and that it works; the entry points of the package; the types
 * that a caller sees (checked by tsc: an expected error that does not come is one).
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { connect as connectOfBrowser } from '../../src/client/browser.js';
import type { Client } from '../../src/client/client.js';
import type { InferResult } from '../../src/client/model.js';
import { echoFrame, helloFrame, PAIRS, readClientFrame, type ReadRequest } from '../support/server-frames.js';

const BUNDLE = new URL('../../dist/client/sluice-client.js', import.meta.url);
const MOST_GZIPPED_BYTES = 20_000;

/** A platform's WebSocket whose server answers with what it was asked. */
class EchoSocket {
  binaryType = 'blob';
  readonly bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string) {
    queueMicrotask(() => {
      this.onopen?.();
      this.arrive(helloFrame({ models: [PAIRS] }));
    });
  }

  send(bytes: Uint8Array): void {
    const request = readClientFrame(bytes) as ReadRequest;
    queueMicrotask(() => {
      this.arrive(echoFrame(request));
    });
  }

  close(code: number, reason: string): void {
    queueMicrotask(() => this.onclose?.({ code, reason }));
  }

  private arrive(bytes: Uint8Array): void {
    if (this.binaryType !== 'arraybuffer') throw new Error('expected a client that asks for ArrayBuffers');
    this.onmessage?.({ data: bytes.slice().buffer });
  }
}

t.test('the client of browsers is one file without imports, and small', async (t) => {
  const text = readFileSync(BUNDLE);
  const bytes = gzipSync(text, { level: 9 }).byteLength;
  t.ok(bytes < MOST_GZIPPED_BYTES, `${bytes} bytes gzipped, flatbuffers included`);
  t.notMatch(text.toString(), /^import |\brequire\(|\bprocess\.|\bBuffer\.|node:/m);
  const bundle: object = await import(BUNDLE.href);
  const source: object = await import('../../src/client/browser.js');
  t.same(Object.keys(bundle).sort(), Object.keys(source).sort());
});

t.test('it works over the WebSocket of a platform', async (t) => {
  const platform = globalThis as { WebSocket?: unknown };
  const before = platform.WebSocket;
  platform.WebSocket = EchoSocket;
  t.teardown(() => {
    platform.WebSocket = before;
  });
  const { connect }: { connect: typeof connectOfBrowser } = await import(BUNDLE.href);
  for (const client of [
    await connect('http://127.0.0.1:8000'),
    await connectOfBrowser('ws://127.0.0.1:8000'),
  ]) {
    const { outputs } = await client.infer('m', { x: Float32Array.of(1, 2, 3, 4) });
    t.same(outputs['y'], { name: 'y', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    client.close();
    await t.rejects(client.infer('m', { x: Float32Array.of(1, 2) }), { code: 'CLOSED' });
  }
  await t.rejects(connectOfBrowser('ftp://127.0.0.1'), TypeError);
});

t.test('the package offers it to Node and to browsers', async (t) => {
  const name = 'sluice/client';
  const node: object = await import(name);
  const bundle: object = await import('sluice/client/bundle');
  t.same(Object.keys(node).sort(), Object.keys(bundle).sort(), 'the same names everywhere');
  const { exports } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.match(exports['./client'].browser, { default: './dist/client/browser.js' });
});

/** Never called: what it says is for tsc. */
export async function types(client: Client): Promise<void> {
  const typed = await client.infer<{ label: 'INT64'; score: 'FP32' }>('m', { x: new Float32Array(2) });
  typed.outputs.label.data satisfies BigInt64Array;
  typed.outputs.score.data satisfies Float32Array;
  // @ts-expect-error: there is no such output
  void typed.outputs.other;
  // @ts-expect-error: it is a BigInt64Array
  typed.outputs.label.data satisfies Float32Array;

  const { outputs }: InferResult = await client.infer(
    'm',
    { x: { data: ['a'], shape: [1] } },
    { shape: [1] },
  );
  const output = outputs['y']!;
  if (output.datatype === 'BYTES') output.data satisfies Uint8Array[];
  if (output.datatype === 'FP16') output.data satisfies Uint16Array;
  // @ts-expect-error: numbers do not say of what type they are
  void client.infer('m', { x: [1, 2, 3] });
  // @ts-expect-error: no such option
  void client.infer('m', {}, { deadline: 1 });
}
