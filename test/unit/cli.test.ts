/** What the command line prints and how it ends, without starting anything. */
import t from 'tap';
import { SluiceError } from '../../src/core/errors.js';
import type { ModelSignature, ServePlan } from '../../src/core/model.js';
import type { VersionEntry } from '../../src/core/snapshot.js';
import { VersionUse } from '../../src/core/version-use.js';
import { AdminClient } from '../../src/cli/admin-client.js';
import { configText } from '../../src/cli/config-text.js';
import { CommandEnd, exitCodeOf } from '../../src/cli/exit-codes.js';
import { describeTensors, modelTableRows } from '../../src/cli/model-table.js';
import { formatTable } from '../../src/cli/text-table.js';
import { completeConfig } from '../../src/models/config/complete.js';
import { emptyModelConfig } from '../../src/models/config/model-config.js';
import { readPbtxtConfig } from '../../src/models/config/read-config.js';

t.test('columns line up, and the last cell of a row may be long', (t) => {
  t.same(
    formatTable(
      ['A', 'LONG', 'C'],
      [
        ['1', 'x', 'y'],
        ['22', 'a very long reason at the end'],
        ['3', '', 'z'],
      ],
    ),
    ['A   LONG  C', '1   x     y', '22  a very long reason at the end', '3         z'],
  );
  t.end();
});

t.test('many tensors are counted, not listed', (t) => {
  const tensors = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
    name,
    datatype: 'INT8' as const,
    shape: [-1, 2],
  }));
  t.equal(describeTensors(tensors), 'a INT8[-1,2], b INT8[-1,2], c INT8[-1,2], +2');
  t.end();
});

t.test(
  'the table has ready versions, versions under way, rejected versions and models without versions',
  (t) => {
    const tensor = { name: 'x', datatype: 'FP32' as const, shape: [-1, 4] };
    const metadata = { inputs: [tensor], outputs: [{ ...tensor, name: 'y' }] };
    const plan = { maxBatchRows: 64, isBatching: true } as ServePlan;
    const ready: VersionEntry = {
      modelName: 'm',
      version: '2',
      generation: 1,
      state: 'READY',
      reason: '',
      handle: 1,
      plan,
      metadata,
      report: { execution: 'inline', batchLimitRows: 16, warmupMs: 12.4, costUs: [], costUsByLength: [] },
      facts: undefined,
      isEdited: false,
      use: new VersionUse(),
    };
    const loading: VersionEntry = {
      ...ready,
      version: '3',
      state: 'LOADING',
      metadata: undefined,
      report: undefined,
    };
    const rejected: VersionEntry = { ...loading, version: '1', state: 'REJECTED', reason: 'broken' };
    const perRequest: VersionEntry = { ...ready, version: '4', plan: { ...plan, isBatching: false } };
    const versions = new Map([rejected, ready, loading, perRequest].map((entry) => [entry.version, entry]));
    const common = {
      platform: 'onnxruntime_onnx',
      pinnedVersion: undefined,
      defaultVersion: undefined,
      isReady: false,
    };
    const models = new Map([
      ['m', { ...common, name: 'm', versions, reason: '' }],
      ['n', { ...common, name: 'n', versions: new Map<string, VersionEntry>(), reason: 'got both' }],
    ]);
    t.same(modelTableRows({ models }), [
      ['m', '1', 'REJECTED: broken'],
      ['m', '2', 'READY', 'x FP32[-1,4]', 'y FP32[-1,4]', 'up to 16 of 64', 'inline', '12 ms'],
      ['m', '3', 'LOADING'],
      ['m', '4', 'READY', 'x FP32[-1,4]', 'y FP32[-1,4]', 'per request, up to 64', 'inline', '12 ms'],
      ['n', '-', 'REJECTED: got both'],
    ]);
    t.end();
  },
);

t.test('the suggested config.pbtxt, read again, gives the same configuration', (t) => {
  const signature: ModelSignature = {
    inputs: [
      { name: 'odd "name"', datatype: 'BF16', shape: [-1] },
      { name: 'text', datatype: 'BYTES', shape: [-1, -1, 3] },
    ],
    outputs: [{ name: 'y', datatype: 'UINT64', shape: [-1, 2] }],
  };
  const config = completeConfig(emptyModelConfig().config, signature, 'm');
  const again = readPbtxtConfig(configText(config)).config;
  const { version_policy: _policy, ...completed } = completeConfig(again, signature, 'm');
  const { version_policy: _same, ...first } = config;
  t.same(completed, first);
  t.match(configText(config), /data_type: TYPE_STRING, dims: \[ -1, 3 \]/);
  t.end();
});

t.test('exit codes: what ended the command, and the number for scripts', (t) => {
  const inUse = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
  const table: Array<[error: unknown, exitCode: number]> = [
    [new CommandEnd(3, 'nothing to serve'), 3],
    [new SluiceError('CONFIG_INVALID', 'port: ...'), 2],
    [new SluiceError('MODEL_INVALID', 'not an ONNX model'), 3],
    [inUse, 3],
    [new Error('Expected to listen on 127.0.0.1:1, but the port is taken or the address is not ours'), 3],
    [new Error('anything else'), 1],
    ['not even an error', 1],
  ];
  for (const [error, exitCode] of table) t.equal(exitCodeOf(error), exitCode, String(error));
  t.end();
});

t.test('a server that does not answer in time is told in words', async (t) => {
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  t.intercept(globalThis, 'fetch', { value: () => Promise.reject(timeout) });
  await t.rejects(new AdminClient({ admin: 'http://127.0.0.1:8002' }).get('/models'), {
    message: 'no server answers at http://127.0.0.1:8002: The operation was aborted due to timeout',
  });
});
