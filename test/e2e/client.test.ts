/**
 * The client against a whole server, over both of its transports, by WebSocket and by HTTP: every data type, outputs, versions,
 * batches, errors. The truth of each case stands next to it.
 */
import t, { type Test } from 'tap';
import type { DataType, InputData } from '../../src/client/data-types.js';
import { connect, httpClient, toStrings, type InferClient } from '../../src/client/node.js';
import { linkedRepository, startTestServer } from '../support/running.js';

const SAMPLES: readonly [DataType, InputData][] = [
  ['BOOL', Uint8Array.of(1, 0, 0, 1)],
  ['UINT8', Uint8Array.of(0, 1, 254, 255)],
  ['INT8', Int8Array.of(-128, -1, 0, 127)],
  ['UINT16', Uint16Array.of(0, 1, 65534, 65535)],
  ['INT16', Int16Array.of(-32768, -1, 0, 32767)],
  ['UINT32', Uint32Array.of(0, 1, 2, 4294967295)],
  ['INT32', Int32Array.of(-2147483648, -1, 0, 2147483647)],
  ['UINT64', BigUint64Array.of(0n, 9007199254740993n, 2n ** 64n - 2n, 2n ** 64n - 1n)],
  ['INT64', BigInt64Array.of(-(2n ** 63n), -9007199254740993n, 9007199254740993n, 2n ** 63n - 1n)],
  ['FP16', Uint16Array.of(0, 0x3c00, 0xc000, 0x7bff)],
  ['FP32', Float32Array.of(0.5, NaN, -Infinity, 1024)],
  ['FP64', Float64Array.of(0.1, -1.5, 5e-324, 1.7976931348623157e308)],
  ['BYTES', ['a', '', 'drei "3" ]', '\u4e09']],
  ['BF16', Uint16Array.of(0, 0x3f80, 0xc000, 0x7f7f)],
];

const MODELS = [...SAMPLES.map(([datatype]) => `identity_${datatype.toLowerCase()}`), 'add_sub', 'versioned'];

async function checkDataTypes(t: Test, client: InferClient): Promise<void> {
  for (const [datatype, data] of SAMPLES) {
    const { outputs } = await client.infer(`identity_${datatype.toLowerCase()}`, {
      INPUT0: { data, shape: [2, 2] },
    });
    const output = outputs['OUTPUT0'];
    t.match(output, { name: 'OUTPUT0', datatype, shape: [2, 2] }, datatype);
    t.same(output?.datatype === 'BYTES' ? toStrings(output.data) : output?.data, data, datatype);
  }
  const { outputs } = await client.infer(
    'identity_bool',
    { INPUT0: [true, false, true, true] },
    { shape: [1, 4] },
  );
  t.same(outputs['OUTPUT0']?.data, Uint8Array.of(1, 0, 1, 1));
}

async function checkRequests(t: Test, client: InferClient): Promise<void> {
  const left = Float32Array.from({ length: 48 }, (_, index) => index);
  const right = new Float32Array(48).fill(0.5);
  const rows = await client.infer<{ OUTPUT1: 'FP32' }>(
    'add_sub',
    { INPUT1: right, INPUT0: left },
    { outputs: ['OUTPUT1'] },
  );
  t.same(Object.keys(rows.outputs), ['OUTPUT1'], 'only what was asked for');
  t.same(rows.outputs.OUTPUT1.shape, [3, 16], 'the rows follow from the data');
  t.same(
    rows.outputs.OUTPUT1.data,
    left.map((value) => value - 0.5),
  );

  const INPUT0 = Float32Array.of(1, 2, 3, 4);
  const first = await client.infer('versioned', { INPUT0 }, { version: '1' });
  t.match(first, {
    model: 'versioned',
    version: '1',
    outputs: { OUTPUT0: { data: Float32Array.of(2, 3, 4, 5) } },
  });
  const usual = await client.infer(
    'versioned',
    { INPUT0 },
    { key: 'user', traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
  );
  t.match(usual, { version: '2', outputs: { OUTPUT0: { data: Float32Array.of(3, 4, 5, 6) } } });

  const many = await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      client.infer('versioned', { INPUT0: Float32Array.of(index, 0, 0, 0) }),
    ),
  );
  const wrong = many.filter(
    ({ outputs }, index) => (outputs['OUTPUT0']!.data as Float32Array)[0] !== index + 2,
  );
  t.equal(wrong.length, 0, '300 at once, each its own answer');
}

async function checkRefusals(t: Test, client: InferClient): Promise<void> {
  const INPUT0 = Float32Array.of(1, 2, 3, 4);
  await t.rejects(client.infer('nowhere', { INPUT0 }), { code: 'MODEL_NOT_FOUND', mayHaveRun: false });
  await t.rejects(client.infer('versioned', { INPUT0 }, { version: '77' }), {
    name: 'InferError',
    message: /77/,
  });
  await t.rejects(client.infer('versioned', { INPUT0 }, { shape: [4, 1] }), {
    name: 'InferError',
    mayHaveRun: false,
  });
  await t.rejects(client.infer('versioned', { other: INPUT0 }), { name: 'InferError' });
  await t.rejects(client.infer('versioned', { INPUT0 }, { outputs: ['none'] }), {
    name: 'InferError',
    message: /none/,
  });
  await t.rejects(
    client.infer('versioned', { INPUT0: { data: INPUT0, datatype: 'FP32' }, more: Int8Array.of(1) }),
    {
      name: 'InferError',
    },
  );
  t.ok(await client.infer('versioned', { INPUT0 }), 'and the connection is as good as before');
}

for (const transport of ['uws', 'node']) {
  t.test(`over ${transport}`, async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, MODELS), { transport });
    const url = `http://127.0.0.1:${server.port}`;
    const socket = await connect(url, { connections: 2 });
    t.teardown(() => {
      socket.close();
    });
    for (const [name, client] of [
      ['WebSocket', socket],
      ['HTTP', httpClient(url)],
    ] as const) {
      await t.test(name, async (t) => {
        await checkDataTypes(t, client);
        await checkRequests(t, client);
        await checkRefusals(t, client);
      });
      if (name === 'HTTP') client.close();
    }

    await t.test('the server stops', async (t) => {
      t.match(socket.models.get('versioned'), {
        version: '2',
        inputs: [{ name: 'INPUT0', datatype: 'FP32' }],
      });
      const ask = (deadlineMs: number) =>
        socket
          .infer('versioned', { INPUT0: Float32Array.of(1, 2, 3, 4) }, { deadlineMs })
          .catch((error: unknown) => error);
      // They cross the goodbye: read and answered, or not read and kept for a server that does not come.
      const crossing = [ask(300), ask(300)];
      const isDrained = server.stop();
      for (const answer of await Promise.all(crossing)) {
        const { code, mayHaveRun, version } = answer as {
          code?: string;
          mayHaveRun?: boolean;
          version?: string;
        };
        t.ok(version === '2' || (code === 'DEADLINE_PASSED' && mayHaveRun === false), `${version ?? code}`);
      }
      socket.close();
      t.equal(await isDrained, true);
    });
  });
}
