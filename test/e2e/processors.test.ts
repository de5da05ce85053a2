/** Which processors run models, by what the kernel says of the threads; and the switches of ONNX Runtime from a config. */
import { appendFileSync, cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { allowedCpus, fileText } from '../../src/core/cpus.js';
import { startTestServer } from '../support/running.js';
import { fp32, infer } from '../support/v2-wire.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));
const ALLOWED = allowedCpus(fileText) ?? [];

/** The model `varlen` with more in its config. */
function repositoryWith(t: Test, parameters: Record<string, string>): string {
  const repository = join(t.testdir({}), 'models');
  mkdirSync(repository);
  cpSync(join(MODELS, 'varlen'), join(repository, 'varlen'), { recursive: true, dereference: true });
  const config = join(repository, 'varlen/config.pbtxt');
  for (const [key, value] of Object.entries(parameters))
    appendFileSync(config, `\nparameters { key: "${key}" value { string_value: "${value}" } }\n`);
  t.teardown(() => rmSync(repository, { recursive: true, force: true }));
  return repository;
}

/** How many threads of this process stay on that CPU alone. */
function threadsOn(cpu: number): number {
  return readdirSync('/proc/self/task').filter((thread) => {
    const list = allowedCpus((path) => fileText(path.replace('self', `self/task/${thread}`)));
    return list?.length === 1 && list[0] === cpu;
  }).length;
}

async function checkAnswer(t: Test, port: number): Promise<void> {
  const X = { name: 'X', datatype: 'FP32', shape: [1, 3], bytes: fp32(1, 2, 3) };
  const answer = await infer(port, 'varlen', {
    inputs: [X],
    more: '"parameters":{"binary_data_output":true}',
  });
  t.equal(answer.status, 200);
  t.ok(answer.outputs[0]?.bytes?.equals(fp32(6)), 'the sum');
  t.ok(answer.outputs[1]?.bytes?.equals(fp32(2, 4, 6)), 'the doubled row');
}

t.test('switches of the runtime are taken, and answers stay right', async (t) => {
  const repository = repositoryWith(t, {
    execution_mode: '1',
    inter_op_thread_count: '2',
    enable_mem_arena: 'false',
    enable_mem_pattern: '1',
  });
  const { server, lines } = await startTestServer(t, repository, { workers: 1 });
  await checkAnswer(t, server.port);
  t.notMatch(JSON.stringify(lines), 'ignored');
});

const isAlone = ALLOWED.length < 2 && 'one CPU: every thread is on it anyway';
t.test('workers and intra-op threads stay on the CPUs they are given', { skip: isAlone }, async (t) => {
  const [first, second] = ALLOWED as [number, number];
  t.same([threadsOn(first), threadsOn(second)], [0, 0], 'nobody before');
  const repository = repositoryWith(t, {
    'sluice.execution': 'worker',
    intra_op_thread_count: '2',
    'sluice.intra_op_cpus': String(second),
  });
  const { server } = await startTestServer(t, repository, { workers: 1, workerCpus: String(first) });
  await checkAnswer(t, server.port);
  t.same([threadsOn(first), threadsOn(second)], [1, 1]);
});

t.test('CPUs that the process may not use are refused by number', async (t) => {
  const missing = String(Math.max(...ALLOWED, 0) + 1);
  await t.rejects(startTestServer(t, repositoryWith(t, {}), { workerCpus: missing }), {
    code: 'CONFIG_INVALID',
    message: new RegExp(`^workerCpus: expected CPUs that the process may use .*got ${missing}$`),
  });
});
