/** The set of versions changes under a puppet engine: swaps, failed loads, drains, pins, commands in order, polling. */
import t, { type Test } from 'tap';
import { mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshot } from '../../src/core/snapshot.js';
import { ModelStore, type StoreOptions } from '../../src/models/store.js';
import { PuppetLoader } from '../support/puppet-loader.js';

const QUIET = { info() {}, warn() {}, error() {} };

interface Rig {
  readonly loader: PuppetLoader;
  readonly store: ModelStore;
  readonly root: string;
  /** Writes a version in place. */
  put(version: string, text: string): void;
  states(): Record<string, string>;
  serves(): string | undefined;
  /** One look at the repository, with its loads: whether all is settled. */
  follow(): Promise<boolean>;
  clock: { nowMs: number };
}

async function rig(
  t: Test,
  options: Partial<StoreOptions>,
  files: Record<string, string> = { '1': 'one' },
): Promise<Rig> {
  const root = t.testdir({
    m: Object.fromEntries(Object.entries(files).map(([version, text]) => [version, { 'model.onnx': text }])),
  });
  const clock = { nowMs: 1_000_000 };
  const loader = new PuppetLoader();
  const store = new ModelStore(loader, QUIET, {
    control: 'explicit',
    loadModels: ['*'],
    nowMs: () => clock.nowMs,
    ...options,
  });
  t.teardown(() => {
    store.stopFollowing();
  });
  await store.load(root);
  const model = () => store.snapshot.models.get('m');
  return {
    loader,
    store,
    root,
    clock,
    put(version, text) {
      mkdirSync(join(root, 'm', version), { recursive: true });
      writeFileSync(join(root, 'm', version, 'model.onnx'), text);
    },
    states: () => Object.fromEntries([...(model()?.versions ?? [])].map(([name, v]) => [name, v.state])),
    serves: () => model()?.defaultVersion?.version,
    async follow() {
      const { isSettled, ended } = await store.follow();
      await ended;
      return isSettled;
    },
  };
}

t.test(
  'a new version takes over in one publication, and the old one leaves when nobody holds it',
  async (t) => {
    const { store, loader, put, states, serves } = await rig(t, {});
    const before = store.snapshot;
    const old = before.models.get('m')?.versions.get('1');
    old?.use.take();
    put('2', 'two');
    const seen: Array<[string | undefined, string]> = [];
    loader.during = async () => {
      seen.push([serves(), states()['2'] ?? 'none']);
    };
    const snapshots: Snapshot[] = [];
    store.board.listen(() => snapshots.push(store.snapshot));
    t.same(await store.loadModel('m'), [{ version: '2', result: 'loaded', reason: '' }]);
    t.same(seen, [['1', 'LOADING']]);
    t.same(states(), { '1': 'DRAINING', '2': 'READY' });
    t.equal(serves(), '2');
    for (const snapshot of snapshots)
      t.ok(snapshot.models.get('m')?.defaultVersion, 'at no time nobody serves');
    t.same(loader.closed, []);
    old?.use.release();
    await new Promise(setImmediate);
    t.same(loader.closed, [1]);
    t.same(states(), { '1': 'UNLOADED', '2': 'READY' });
    t.equal(before.models.get('m')?.versions.get('1')?.state, 'READY', 'an older picture did not change');
    t.same(
      store.board.eventsAfter(0).map((event) => `${event.version} ${event.from ?? ''}>${event.to}`),
      [
        '1 >LOADING',
        '1 LOADING>WARMING',
        '1 WARMING>VERIFYING',
        '1 VERIFYING>READY',
        '2 >LOADING',
        '2 LOADING>WARMING',
        '2 WARMING>VERIFYING',
        '2 VERIFYING>READY',
        '1 READY>DRAINING',
        '1 DRAINING>UNLOADED',
      ],
    );
  },
);

t.test('a version that holds on for too long is closed all the same', async (t) => {
  const { store, loader, put } = await rig(t, { holdMs: 1 });
  store.snapshot.models.get('m')?.versions.get('1')?.use.take();
  put('2', 'two');
  await store.loadModel('m');
  await store.close();
  t.same(loader.closed.sort(), [1, 2]);
});

t.test('a failed load changes nothing for traffic, and the model stays ready', async (t) => {
  const { store, put, states, serves } = await rig(t, {});
  put('2', 'bad');
  t.same(await store.loadModel('m'), [{ version: '2', result: 'rejected', reason: 'the file is bad' }]);
  t.same(states(), { '1': 'READY', '2': 'REJECTED' });
  t.equal(serves(), '1');
  t.equal(store.isReady(true), true);
  put('2', 'good now');
  await store.loadModel('m');
  t.equal(serves(), '2');
});

t.test('one version is loaded beside the others, unloaded, and pinned', async (t) => {
  const { store, states, serves } = await rig(t, {}, { '1': 'one', '2': 'two', '3': 'three' });
  t.same(states(), { '3': 'READY' });
  t.match(await store.loadVersion('m', '1'), { result: 'loaded' });
  t.same(states(), { '1': 'READY', '3': 'READY' });
  t.equal(serves(), '3');
  await store.pinVersion('m', '2');
  t.equal(serves(), '2');
  t.equal(store.snapshot.models.get('m')?.pinnedVersion, '2');
  await store.unloadVersion('m', '1');
  await new Promise(setImmediate);
  t.same(states(), { '1': 'UNLOADED', '2': 'READY', '3': 'READY' });
  await store.loadModel('m');
  t.same(states(), { '1': 'UNLOADED', '2': 'READY', '3': 'READY' }, 'a pin outlives a load of the model');
  await store.pinVersion('m', undefined);
  t.equal(serves(), '3');
  await store.loadModel('m');
  await new Promise(setImmediate);
  t.same(states(), { '1': 'UNLOADED', '2': 'UNLOADED', '3': 'READY' });
  await t.rejects(store.loadVersion('m', '9'), { code: 'VERSION_NOT_FOUND' });
  await t.rejects(store.loadModel('nobody'), { code: 'MODEL_NOT_FOUND' });
  await store.unloadModel('nobody');
  await store.unloadModel('m');
  t.equal(serves(), undefined);
});

t.test(
  'a new configuration loads the same version anew and swaps; its failure leaves the old one',
  async (t) => {
    const { store, root, loader, states } = await rig(t, {});
    const generation = () => store.snapshot.models.get('m')?.versions.get('1')?.generation ?? 0;
    const first = generation();
    t.same(await store.loadModel('m'), [{ version: '1', result: 'unchanged', reason: '' }]);
    t.equal(generation(), first);
    writeFileSync(join(root, 'm', 'config.pbtxt'), 'max_batch_size: 4');
    t.match(await store.loadModel('m'), [{ result: 'loaded' }]);
    t.ok(generation() > first);
    t.equal(store.snapshot.models.get('m')?.versions.get('1')?.plan?.maxBatchRows, 4);
    await new Promise(setImmediate);
    t.same(loader.closed, [1]);
    writeFileSync(
      join(root, 'm', 'config.pbtxt'),
      'max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [ 7 ] }',
    );
    const second = generation();
    t.match(await store.loadModel('m'), [{ result: 'rejected', reason: /expected dims \[4\]/ }]);
    t.same(states(), { '1': 'READY' });
    t.equal(generation(), second);
    writeFileSync(join(root, 'm', 'config.pbtxt'), 'nonsense');
    await t.rejects(store.loadModel('m'), { code: 'CONFIG_INVALID', message: /line 1 column/ });
    t.same(states(), { '1': 'READY' });
  },
);

t.test('an edited version is told, not half-loaded', async (t) => {
  const { store, put, loader, states } = await rig(t, {});
  put('1', 'other bytes');
  t.match(await store.loadModel('m'), [{ version: '1', result: 'edited', reason: /versions do not change/ }]);
  t.equal(store.snapshot.models.get('m')?.versions.get('1')?.isEdited, true);
  t.equal(loader.orders.length, 1);
  await store.unloadModel('m');
  await store.loadModel('m');
  t.same(states(), { '1': 'READY' });
  t.equal(loader.texts.get(2), 'other bytes');
});

t.test('a folder that changes while it is loaded is refused', async (t) => {
  const { store, put, loader, states } = await rig(t, {});
  put('2', 'two');
  loader.during = async () => {
    put('2', 'something else');
  };
  t.match(await store.loadModel('m'), [{ result: 'rejected', reason: /changed while it was loaded/ }]);
  t.same(states(), { '1': 'READY', '2': 'REJECTED' });
});

t.test('commands on one model are ordered; loads of several go side by side, a few at a time', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const root = t.testdir(Object.fromEntries(names.map((name) => [name, { '1': { 'model.onnx': name } }])));
  const loader = new PuppetLoader();
  let secondCame: () => void = () => undefined;
  const second = new Promise<void>((resolve) => (secondCame = resolve));
  loader.during = () => {
    if (loader.openNow === 2) secondCame();
    return second;
  };
  const store = new ModelStore(loader, QUIET, { control: 'explicit', loadModels: ['*'], parallelLoads: 2 });
  await store.load(root);
  t.equal(loader.mostAtOnce, 2);
  const order: string[] = [];
  const commands = [
    store.unloadModel('a').then(() => order.push('unload')),
    store.loadModel('a').then(() => order.push('load')),
    store.unloadVersion('a', '1').then(() => order.push('unload version')),
    store.loadVersion('a', '1').then(() => order.push('load version')),
  ];
  await Promise.all(commands);
  t.same(order, ['unload', 'load', 'unload version', 'load version']);
  t.equal(store.snapshot.models.get('a')?.defaultVersion?.version, '1');
});

t.test('commands need explicit control, and say so', async (t) => {
  const { store } = await rig(t, { control: 'none' });
  t.throws(() => store.loadModel('m'), { code: 'CONTROL_MODE', message: /it is none/ });
  t.throws(() => store.unloadVersion('m', '1'), { code: 'CONTROL_MODE' });
  await store.pinVersion('m', '1');
});

t.test('explicit control loads what was named, and tells what is not there', async (t) => {
  const root = t.testdir({ a: { '1': { 'model.onnx': 'a' } }, b: { '1': { 'model.onnx': 'b' } } });
  const store = new ModelStore(new PuppetLoader(), QUIET, { control: 'explicit', loadModels: ['b', 'z'] });
  await store.load(root);
  t.same([...store.snapshot.models.keys()], ['b', 'z']);
  t.equal(store.snapshot.models.get('z')?.reason, 'it is not in the repository');
  t.equal(store.snapshot.models.get('b')?.isReady, true);
});

t.test('polling: what is being copied waits until it rests, a rename is taken at once', async (t) => {
  const { root, put, states, clock, loader, follow } = await rig(t, { control: 'poll', settleMs: 2000 });
  put('2', 'half');
  t.equal(await follow(), false);
  t.same(states(), { '1': 'READY' });
  clock.nowMs += 1000;
  put('2', 'half and more');
  t.equal(await follow(), false);
  clock.nowMs += 1999;
  t.equal(await follow(), false);
  clock.nowMs += 1;
  t.equal(await follow(), true);
  t.equal(states()['2'], 'READY');
  t.equal(loader.texts.get(2), 'half and more');

  mkdirSync(join(root, 'aside'));
  writeFileSync(join(root, 'aside', 'model.onnx'), 'three');
  // Renamed in later than everything inside was written: file systems count in ticks.
  const earlier = new Date(Date.now() - 10_000);
  utimesSync(join(root, 'aside', 'model.onnx'), earlier, earlier);
  await new Promise((resolve) => setTimeout(resolve, 20));
  renameSync(join(root, 'aside'), join(root, 'm', '3'));
  await follow();
  t.equal(states()['3'], 'READY');
});

t.test('polling: edited is told, broken is tried once, gone leaves after a second look', async (t) => {
  const { store, root, put, states, clock, loader, follow } = await rig(t, { control: 'poll' });
  put('1', 'edited');
  await follow();
  t.equal(store.snapshot.models.get('m')?.versions.get('1')?.isEdited, true);
  put('2', 'bad');
  for (let pass = 0; pass < 4; pass += 1) {
    await follow();
    clock.nowMs += 2000;
  }
  t.same(states(), { '1': 'READY', '2': 'REJECTED' });
  t.equal(loader.orders.length, 2);
  put('2', 'mended');
  await follow();
  clock.nowMs += 2000;
  await follow();
  t.equal(states()['2'], 'READY');
  rmSync(join(root, 'm'), { recursive: true });
  t.equal(await follow(), false);
  t.equal(states()['2'], 'READY', 'it may come back by a second rename');
  clock.nowMs += 2000;
  await follow();
  await new Promise(setImmediate);
  t.equal(store.snapshot.models.has('m'), false);
  t.same(loader.closed.sort(), [1, 3]);
});

t.test('polling: one that loads for long holds up nobody', async (t) => {
  const { store, root, put, states, clock, loader } = await rig(t, { control: 'poll' });
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  loader.during = async ({ path }) => {
    if (readFileSync(path, 'utf8') === 'slow') await held;
  };
  put('2', 'slow');
  await store.follow();
  clock.nowMs += 2000;
  const { ended } = await store.follow();
  mkdirSync(join(root, 'n', '1'), { recursive: true });
  writeFileSync(join(root, 'n', '1', 'model.onnx'), 'another');
  await store.follow();
  clock.nowMs += 2000;
  await (
    await store.follow()
  ).ended;
  t.equal(store.snapshot.models.get('n')?.isReady, true);
  t.same(states(), { '1': 'READY', '2': 'LOADING' });
  letGo();
  await ended;
  t.equal(states()['2'], 'READY');
});

t.test('polling: one that is slow to leave holds up nobody, and may come back', async (t) => {
  const { store, root, put, states, clock, loader, follow } = await rig(t, { control: 'poll' });
  const old = store.snapshot.models.get('m')?.versions.get('1');
  old?.use.take();
  const look = async (): Promise<void> => {
    await follow();
    clock.nowMs += 2000;
  };
  const aside = t.testdirName + '-aside';
  renameSync(join(root, 'm'), aside);
  mkdirSync(join(root, 'n', '1'), { recursive: true });
  writeFileSync(join(root, 'n', '1', 'model.onnx'), 'another');
  await look();
  await look();
  t.same(states(), { '1': 'DRAINING' });
  await look();
  t.equal(store.snapshot.models.get('n')?.isReady, true);
  t.same(loader.closed, []);

  renameSync(aside, join(root, 'm'));
  await look();
  await look();
  t.same(states(), { '1': 'READY' }, 'what was there before is served again');
  old?.use.release();
  await new Promise(setImmediate);
  t.same(loader.closed, [1]);
  t.same(states(), { '1': 'READY' }, 'and stays when the old one is gone');

  put('1', 'bad');
  const again = store.snapshot.models.get('m')?.versions.get('1');
  again?.use.take();
  rmSync(join(root, 'm'), { recursive: true });
  for (let pass = 0; pass < 3; pass += 1) await look();
  t.same(states(), { '1': 'DRAINING' });
  again?.use.release();
  await new Promise(setImmediate);
  t.equal(store.snapshot.models.has('m'), false);
  t.equal(store.snapshot.models.has('n'), true);
});
