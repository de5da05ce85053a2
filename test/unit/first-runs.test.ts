/** The first runs of a version under a puppet engine: how long they may take, and how much memory. */
import t, { type Test } from 'tap';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServePlan, StartReport } from '../../src/core/model.js';
import type { OpenedModel, OpenOptions } from '../../src/core/opening.js';
import type { LoadOrder } from '../../src/models/load-order.js';
import { loadVersion, type LoadTools } from '../../src/models/load-version.js';
import { MemoryAdmission } from '../../src/models/memory-admission.js';
import type { Answer } from '../../src/models/ports.js';
import { findModels, readConfigFile } from '../../src/models/repository.js';
import { PuppetLoader } from '../support/puppet-loader.js';

const MIB = 1024 ** 2;
const NEVER = new Promise<never>(() => undefined);
const OUTPUTS = 'output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]';

class FirstRunLoader extends PuppetLoader {
  readonly warmUpRows: Array<number | undefined> = [];
  readonly asked: number[] = [];
  begin: () => Promise<void> = async () => {};
  end: () => Promise<void> = async () => {};
  answer: Answer = { status: 0, bytes: new Uint8Array(), headLength: 0 };

  override async open(order: OpenOptions): Promise<OpenedModel> {
    const opened = await super.open(order);
    return { ...opened, inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }] };
  }

  override async start(handle: number, plan: ServePlan, warmUpRows?: number): Promise<StartReport> {
    this.warmUpRows.push(warmUpRows);
    await this.begin();
    return super.start(handle, plan);
  }

  override async ask(_handle?: number, _headLength?: number, body?: Uint8Array): Promise<Answer> {
    this.asked.push(body?.byteLength ?? 0);
    return this.answer;
  }

  override async close(handle: number): Promise<void> {
    await super.close(handle);
    await this.end();
  }
}

/** A version of one input x with `dims`, and what loading it comes to. */
async function rig(t: Test, config: string, tools: Partial<LoadTools> = {}) {
  const root = t.testdir({ m: { 'config.pbtxt': config } });
  mkdirSync(join(root, 'm', '1'));
  writeFileSync(join(root, 'm', '1', 'model.onnx'), 'one');
  const [model] = (await findModels(root)).models;
  const [found] = model?.versions ?? [];
  if (model === undefined || found === undefined) throw new Error('the version was not found');
  const order: LoadOrder = { modelName: 'm', found, read: await readConfigFile(model) };
  const loader = new FirstRunLoader();
  let whenUp = (): void => undefined;
  const firstRunLimit = {
    ms: 5,
    schedule: (up: () => void) => {
      whenUp = up;
      return () => undefined;
    },
  };
  const all: LoadTools = { loader, nextPrivatePath: () => '', needsManifest: false, firstRunLimit, ...tools };
  return {
    loader,
    load: () => loadVersion(all, order, () => undefined),
    timeIsUp: () => {
      whenUp();
    },
  };
}

t.test('a warm-up that hangs refuses the version when its time is up, and nobody waits for it', async (t) => {
  const { loader, load, timeIsUp } = await rig(t, 'max_batch_size: 8');
  loader.begin = () => {
    timeIsUp();
    return NEVER;
  };
  loader.end = () => NEVER;
  await t.rejects(load(), {
    code: 'MODEL_INVALID',
    message:
      'warm-up took more than the 5 ms of all first runs; a run that hangs keeps its memory and its thread',
  });
  t.same(loader.closed, [1], 'it goes when its run ends');
});

t.test('a sample whose run hangs is told its reason, though its version cannot be closed', async (t) => {
  const config =
    'max_batch_size: 8 model_warmup { name: "w" batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 4 ] zero_data: true } } }';
  const { loader, load, timeIsUp } = await rig(t, config);
  loader.answer = { status: 13, bytes: Buffer.from('the deadline passed'), headLength: 0 };
  loader.end = () => {
    timeIsUp();
    return NEVER;
  };
  await t.rejects(load(), {
    code: 'MODEL_INVALID',
    message: 'model_warmup "w": the deadline passed',
  });
});

t.test('warm-up makes no larger batch than the queue would, or the memory has room for', async (t) => {
  // 1 MiB in and 8 bytes out.
  const config = `max_batch_size: 1024 dynamic_batching {} input [ { name: "x" data_type: TYPE_FP32 dims: [ 262144 ] } ] ${OUTPUTS}`;
  const rowsWith = async (tools: Partial<LoadTools>, more = ''): Promise<number | undefined> => {
    const { loader, load } = await rig(t, config + more, tools);
    await load();
    return loader.warmUpRows[0];
  };
  const memory = (residentMib: number) => new MemoryAdmission(100 * MIB, () => residentMib * MIB);
  t.equal(await rowsWith({}), 255);
  t.equal(
    await rowsWith({}, ' parameters { key: "sluice.max_queue_bytes" value { string_value: "8388608" } }'),
    7,
  );
  t.equal(await rowsWith({ memory: memory(60) }), 39);
  const { loader, load } = await rig(t, config, { memory: memory(99.5) });
  await t.rejects(load(), {
    code: 'MODEL_INVALID',
    message: 'not enough memory for the warm-up: expected to need 2 MiB beside 100 MiB, the limit is 100 MiB',
  });
  t.same(loader.warmUpRows, []);
  t.same(loader.closed, [1]);
});

t.test('samples of model_warmup keep to the bytes of the queue and to the memory', async (t) => {
  const config = (batchSize: number): string =>
    `max_batch_size: 8 dynamic_batching {} model_warmup { name: "w" batch_size: ${batchSize} inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 262144 ] zero_data: true } } } ` +
    `input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] } ] ${OUTPUTS}`;
  const outcome = async (batchSize: number, tools: Partial<LoadTools> = {}): Promise<number> => {
    const { loader, load } = await rig(t, config(batchSize), tools);
    await load();
    return loader.asked.length;
  };
  t.equal(await outcome(256), 256);
  await t.rejects(outcome(257), {
    message: 'model_warmup "w": expected inputs of at most 256 MiB (sluice.max_queue_bytes), got 257 MiB',
  });
  const memory = new MemoryAdmission(100 * MIB, () => 80 * MIB);
  // The model file has some bytes, too.
  t.equal(await outcome(9, { memory }), 9);
  await t.rejects(outcome(10, { memory }), {
    message:
      'not enough memory for model_warmup "w": expected to need 20 MiB beside 81 MiB, the limit is 100 MiB',
  });
  memory.take(20 * MIB, 20 * MIB);
});
