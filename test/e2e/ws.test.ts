/**
 * WebSocket requests against a real server, over both transports: values against truths known on paper, the rules of ids,
 * cancels, models and goodbyes.
 */
import * as api from '@opentelemetry/api';
import t from 'tap';
import { DATA_TYPES, type DataType as DataTypeName } from '../../src/core/data-types.js';
import { DataType } from '../../src/wire/generated/data-type.js';
import type { Frame } from '../../src/wire/generated/frame.js';
import type { Hello } from '../../src/wire/generated/hello.js';
import { bundleOf, cancelFrame, requestFrame, type SentTensor } from '../support/frames.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { addSub } from '../support/truth.js';
import { byteStrings, fp32, int64 } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const TRACE_ID = '1'.repeat(32);

function bytesOf(numbers: { readonly buffer: ArrayBufferLike }): Buffer {
  return Buffer.from(numbers.buffer as ArrayBuffer);
}

/** Four elements of types of every width, in patterns that another type would read differently. */
const SAMPLES: Readonly<Partial<Record<DataTypeName, Buffer>>> = {
  BOOL: Buffer.from([1, 0, 0, 1]),
  INT64: int64(-9223372036854775808n, -9007199254740993n, 9007199254740993n, 9223372036854775807n),
  FP32: fp32(0.5, -1.5, 3.25, NaN),
  BYTES: byteStrings('a', '', 'drei "3" ]', '\u4e09'),
  FP16: bytesOf(Uint16Array.of(0, 0x3c00, 0xc000, 0x7bff)),
};

function numberOf(hello: Hello, name: string): number {
  for (let index = 0; index < hello.modelsLength(); index += 1) {
    const model = hello.models(index)!;
    if (model.name() === name) return model.number();
  }
  throw new Error(`the hello has no model ${name}`);
}

async function hello(client: WsClient): Promise<Hello> {
  const found = (await client.frame()).hello();
  if (found === null) throw new Error('expected a hello first');
  return found;
}

function floats(name: string, values: readonly number[]): SentTensor {
  return { name, datatype: DataType.FP32, shape: [1, values.length], data: fp32(...values) };
}

function outputFloats(frame: Frame, index: number): number[] {
  const data = frame.response()!.outputs(index)!.dataArray()!;
  return [...new Float32Array(data.slice().buffer)];
}

for (const transport of ['uws', 'node'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const identities = Object.keys(SAMPLES).map((name) => `identity_${name.toLowerCase()}`);
    const names = [...identities, 'add_sub', 'versioned', 'failing'];
    const { server } = await startTestServer(t, linkedRepository(t, names), { transport });

    t.test('the hello tells the limits and the models', async (t) => {
      const client = await WsClient.open(server.port);
      const found = await hello(client);
      t.equal(found.protocol(), 1);
      t.equal(found.maxInFlight(), 64);
      t.equal(found.modelsLength(), names.length);
      const numbers = names.map((name) => numberOf(found, name));
      t.equal(new Set(numbers).size, names.length, 'each model has its own number');
      t.notOk(numbers.includes(0));
      client.close();
      t.equal((await client.closed()).code, 1000);
    });

    t.test('every data type comes back as it went, by number or by name', async (t) => {
      const client = await WsClient.open(server.port);
      const numbers = await hello(client);
      let id = 4_294_967_295;
      for (const [name, data] of Object.entries(SAMPLES) as [DataTypeName, Buffer][]) {
        const model = `identity_${name.toLowerCase()}`;
        const inputs = [{ datatype: DATA_TYPES[name].number, shape: [2, 2], data }];
        const target = id % 2 === 0 ? { model } : { modelNumber: numberOf(numbers, model) };
        client.send(requestFrame({ id, ...target, inputs }));
        const response = (await client.frame()).response();
        t.equal(response?.id(), id, `${name}: the id`);
        t.equal(response?.model(), model);
        t.equal(response?.version(), '1');
        const output = response!.outputs(0)!;
        t.equal(output.datatype(), DATA_TYPES[name].number as DataType);
        t.same([output.shape(0), output.shape(1), output.shapeLength()], [2n, 2n, 2]);
        t.ok(Buffer.from(output.dataArray()!).equals(data), `${name}: the bytes`);
        t.equal(output.dataArray()!.byteOffset % 16, 0, 'a client may look at them in place');
        id -= 1;
      }
      client.close();
    });

    t.test('many in flight on one socket each get their own answer', async (t) => {
      const client = await WsClient.open(server.port);
      const number = numberOf(await hello(client), 'add_sub');
      const asked = new Map<number, { sum: number[]; difference: number[] }>();
      for (let id = 0; id < 64; id += 1) {
        const a = Array.from({ length: 16 }, (_, index) => id * 100 + index);
        const b = Array.from({ length: 16 }, (_, index) => id - index * 3);
        asked.set(id, addSub(a, b));
        client.send(
          requestFrame({ id, modelNumber: number, inputs: [floats('INPUT0', a), floats('INPUT1', b)] }),
        );
      }
      for (let count = 0; count < 64; count += 1) {
        const frame = await client.frame();
        const truth = asked.get(frame.response()!.id())!;
        asked.delete(frame.response()!.id());
        t.same(outputFloats(frame, 0), truth.sum);
        t.same(outputFloats(frame, 1), truth.difference);
      }
      t.equal(asked.size, 0, 'one answer each');
      client.close();
    });

    t.test('a bundle is answered like its frames, and in bundles', async (t) => {
      const client = await WsClient.open(server.port);
      const found = await hello(client);
      t.ok(found.maxBundleFrames() >= 64);
      const row = (id: number): number[] => Array.from({ length: 16 }, (_, index) => id * 100 + index);
      const ask = (id: number, second: number[]): Uint8Array =>
        requestFrame({ id, model: 'add_sub', inputs: [floats('INPUT0', row(id)), floats('INPUT1', second)] });
      const frames = Array.from({ length: 60 }, (_, id) => ask(id, row(1)));
      // A cancel for nobody, an id twice, and a shape that is wrong: each is told for itself.
      client.send(bundleOf(...frames, cancelFrame(1000), ask(7, row(1)), ask(60, [1])));
      const answered = new Set<number>();
      const errors: string[] = [];
      for (let count = 0; count < 62; count += 1) {
        const frame = await client.frame();
        const error = frame.error();
        if (error !== null) {
          errors.push(`${error.id()} ${error.name()}`);
          continue;
        }
        const id = frame.response()!.id();
        const truth = addSub(row(id), row(1));
        t.same(outputFloats(frame, 0), truth.sum);
        t.same(outputFloats(frame, 1), truth.difference);
        answered.add(id);
      }
      t.equal(answered.size, 60);
      t.same(errors.sort(), ['60 SHAPE_MISMATCH', '7 DUPLICATE_ID']);
      t.ok(Math.max(...client.arrivals) > 1, `frames of each message: ${client.arrivals.join(' ')}`);
      const cancels = (count: number) => bundleOf(...Array.from({ length: count }, () => cancelFrame(1000)));
      client.send(cancels(found.maxBundleFrames()));
      client.send(cancels(found.maxBundleFrames() + 1));
      t.same(await client.closed(), {
        code: 1007,
        reason: 'expected at most 256 frames in a bundle, got more',
      });
    });

    t.test('nothing of earlier answers lies between those of a bundle', async (t) => {
      const client = await WsClient.open(server.port);
      await hello(client);
      const text = (length: number): Buffer => byteStrings('x'.repeat(length));
      const ask = (id: number, model: string, datatype: DataType, data: Buffer, width: number): Uint8Array =>
        requestFrame({ id, model, inputs: [{ datatype, shape: [1, width], data }] });
      const loud = Array.from({ length: 20 }, (_, id) =>
        ask(id, 'identity_fp32', DataType.FP32, Buffer.alloc(400, 0x3f), 100),
      );
      const odd = Array.from({ length: 20 }, (_, id) =>
        ask(id, 'identity_bytes', DataType.BYTES, text(id + 1), 1),
      );
      // The helper that takes bundles apart throws where a byte between two frames is not zero.
      for (const [what, frames] of Object.entries({ loud, odd })) {
        client.send(bundleOf(...frames));
        for (const _ of frames) {
          const response = (await client.frame()).response()!;
          const length = response.outputs(0)!.dataLength();
          t.equal(length, what === 'loud' ? 400 : 4 + response.id() + 1, what);
        }
      }
      t.ok(
        client.arrivals.some((count) => count > 5),
        `frames of each message: ${client.arrivals.join(' ')}`,
      );
      client.close();
    });

    t.test('hundreds in one turn of the loop: each has its answer, or is told why not', async (t) => {
      const clients = await Promise.all(Array.from({ length: 10 }, () => WsClient.open(server.port)));
      for (const client of clients) await hello(client);
      const row = (id: number): number[] => Array.from({ length: 16 }, (_, index) => id * 100 + index);
      const isWrong = (id: number): boolean => id % 5 === 0;
      // Without a pause: client and server are one process, so the server finds them all at once.
      for (const [at, client] of clients.entries()) {
        for (let id = at * 64; id < (at + 1) * 64; id += 1) {
          const second = isWrong(id) ? row(id).slice(1) : row(0);
          const inputs = [floats('INPUT0', row(id)), floats('INPUT1', second)];
          client.send(requestFrame({ id, model: 'add_sub', inputs }));
        }
      }
      for (const [at, client] of clients.entries()) {
        const left = new Set(Array.from({ length: 64 }, (_, index) => at * 64 + index));
        for (let count = 0; count < 64; count += 1) {
          const frame = await client.frame();
          const error = frame.error();
          const id = error === null ? frame.response()!.id() : error.id();
          if (!left.delete(id)) t.fail(`a second answer, or one of another socket: ${id}`);
          if (error?.name() !== (isWrong(id) ? 'SHAPE_MISMATCH' : undefined))
            t.fail(`${id}: ${error?.message()}`);
          else if (error === null) t.same(outputFloats(frame, 0), addSub(row(id), row(0)).sum);
        }
        client.close();
      }
    });

    t.test('an output asked for comes alone; a version asked for answers', async (t) => {
      const client = await WsClient.open(server.port);
      await client.frame();
      const a = Array.from({ length: 16 }, (_, index) => index);
      const inputs = [floats('INPUT0', a), floats('INPUT1', a)];
      client.send(requestFrame({ id: 1, model: 'add_sub', inputs, outputs: [1] }));
      const response = (await client.frame()).response()!;
      t.equal(response.outputsLength(), 1);
      t.equal(response.outputs(0)!.position(), 1);
      t.equal(response.outputs(0)!.name(), 'OUTPUT1');
      for (const version of ['1', '2']) {
        const input = { datatype: DataType.FP32, shape: [1, 4], data: fp32(1, 2, 3, 4) };
        client.send(requestFrame({ id: 2, model: 'versioned', version, inputs: [input] }));
        const frame = await client.frame();
        t.equal(frame.response()?.version(), version, frame.error()?.message() ?? '');
      }
      client.close();
    });

    t.test('times are told where they are asked for', async (t) => {
      const client = await WsClient.open(server.port);
      await client.frame();
      const a = Array.from({ length: 16 }, (_, index) => index);
      const inputs = [floats('INPUT0', a), floats('INPUT1', a)];
      const beforeMs = performance.now();
      client.send(requestFrame({ id: 1, model: 'add_sub', inputs, wantTimes: true }));
      const frame = await client.frame();
      const wallUs = (performance.now() - beforeMs) * 1000;
      const times = frame.response()?.times();
      const stagesUs = [times?.decodeUs(), times?.queueUs(), times?.runUs(), times?.encodeUs()];
      const sumUs = stagesUs.reduce<number>((sum, us) => sum + (us ?? NaN), 0);
      t.ok(
        sumUs > 0 && sumUs <= wallUs,
        `${stagesUs.join(' + ')} us lie inside the ${wallUs} us of the request`,
      );
      t.same(outputFloats(frame, 0), addSub(a, a).sum);
      client.send(requestFrame({ id: 2, model: 'add_sub', inputs }));
      t.equal((await client.frame()).response()!.times(), null);
      client.close();
    });

    t.test('errors name the request, the code and what was expected; the socket goes on', async (t) => {
      const client = await WsClient.open(server.port);
      await client.frame();
      const a = Array.from({ length: 16 }, () => 1);
      const good = [floats('INPUT0', a), floats('INPUT1', a)];
      const cases: [string, Parameters<typeof requestFrame>[0]][] = [
        ['MODEL_NOT_FOUND', { id: 1, model: 'nobody', inputs: good }],
        ['VERSION_NOT_FOUND', { id: 2, model: 'add_sub', version: '9', inputs: good }],
        ['BAD_REQUEST', { id: 3, inputs: good }],
        ['BAD_REQUEST', { id: 4, modelNumber: 9999, inputs: good }],
        ['BAD_REQUEST', { id: 5, model: 'add_sub', modelNumber: 1, inputs: good }],
        ['UNKNOWN_TENSOR', { id: 6, model: 'add_sub', inputs: [good[0]!] }],
        ['SHAPE_MISMATCH', { id: 7, model: 'add_sub', inputs: [good[0]!, floats('INPUT1', [1])] }],
        ['TYPE_MISMATCH', { id: 8, model: 'add_sub', inputs: [{ ...good[0]!, datatype: DataType.INT32 }] }],
        [
          'RUN_FAILED',
          {
            id: 9,
            model: 'failing',
            inputs: [{ datatype: DataType.INT64, shape: [1, 1], data: int64(99n) }],
          },
        ],
      ];
      for (const [name, sent] of cases) {
        client.send(requestFrame(sent));
        const error = (await client.frame()).error();
        t.equal(error?.id(), sent.id, name);
        t.equal(error?.name(), name, error?.message() ?? '');
        t.ok((error?.message() ?? '').length > 10);
      }
      client.send(requestFrame({ id: 10, model: 'add_sub', inputs: good }));
      t.same(outputFloats(await client.frame(), 0), addSub(a, a).sum, 'a known answer afterwards');
      client.close();
    });

    t.test('a cancelled request gets its one answer; a late cancel is nothing', async (t) => {
      const client = await WsClient.open(server.port);
      await client.frame();
      const a = Array.from({ length: 16 }, () => 1);
      const inputs = [floats('INPUT0', a), floats('INPUT1', a)];
      client.send(requestFrame({ id: 1, model: 'add_sub', inputs }));
      client.send(cancelFrame(1));
      client.send(cancelFrame(77));
      const frame = await client.frame();
      t.equal(frame.response()?.id() ?? frame.error()?.id(), 1);
      t.match(frame.error()?.name() ?? 'answered', /^(CANCELLED|answered)$/);
      client.send(requestFrame({ id: 1, model: 'add_sub', inputs }));
      t.same(outputFloats(await client.frame(), 0), addSub(a, a).sum, 'and nothing more came');
      client.close();
    });

    t.test('a stop says goodbye', async (t) => {
      const client = await WsClient.open(server.port);
      await client.frame();
      const stopped = server.stop();
      t.equal((await client.frame()).goodbye()?.reason(), 1);
      t.equal((await client.closed()).code, 1001);
      t.equal(await stopped, true);
    });
  });
}

t.test('a request that its caller samples becomes spans, one for each stage it had', async (t) => {
  const spans: Array<{ name: string; traceId: string | undefined }> = [];
  const startSpan = (name: string, _options?: api.SpanOptions, context?: api.Context): api.Span => {
    const parent = context === undefined ? undefined : api.trace.getSpanContext(context);
    spans.push({ name, traceId: parent?.traceId });
    return api.trace.wrapSpanContext({ traceId: TRACE_ID, spanId: '3'.repeat(16), traceFlags: 1 });
  };
  const startActiveSpan = (): never => {
    throw new Error('not used');
  };
  api.trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
  t.teardown(() => {
    api.trace.disable();
  });
  const { server } = await startTestServer(t, linkedRepository(t, ['identity_fp32']), { tracing: true });
  const client = await WsClient.open(server.port);
  await hello(client);
  const ask = async (more: { traceparent?: string }): Promise<void> => {
    client.send(requestFrame({ id: 1, model: 'identity_fp32', inputs: [floats('INPUT0', [1, 2])], ...more }));
    t.same(outputFloats(await client.frame(), 0), [1, 2]);
  };
  await ask({});
  await ask({ traceparent: `00-${TRACE_ID}-${'2'.repeat(16)}-00` });
  t.same(spans, [], 'only those that the caller samples');
  await ask({ traceparent: `00-${TRACE_ID}-${'2'.repeat(16)}-01` });
  t.match(spans[0], { name: 'infer identity_fp32', traceId: TRACE_ID });
  const stages = spans.slice(1).map(({ name }) => name);
  t.ok(stages.includes('decode') && stages.includes('run'), stages.join(' '));
  client.close();
});
