/** Models are found on disk, loaded through a puppet engine, and routed by the snapshot. */
import t from 'tap';
import { join } from 'node:path';
import type { ModelSignature, ServePlan, StartReport, VersionState } from '../../src/core/model.js';
import { SluiceError } from '../../src/core/errors.js';
import { findModelFile, findModels } from '../../src/models/repository.js';
import type { Answer } from '../../src/models/ports.js';
import { ModelStore, type ModelLoader } from '../../src/models/store.js';
import { mayMove, moveState } from '../../src/models/version-state.js';
import { REPORT } from '../support/puppet-loader.js';
import { tableOf } from '../support/puppet-snapshot.js';
import { route } from '../../src/routing/router.js';

const SIGNATURE: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
};

/** Opens by what the file is called; writes down what it was asked. */
class PuppetLoader implements ModelLoader {
  readonly opened: string[] = [];
  readonly closed: number[] = [];
  readonly plans: ServePlan[] = [];
  beforeOpen: (path: string) => Promise<void> = async () => {};
  failStart: Error | undefined;

  async open(options: { readonly path: string; readonly directory: string }) {
    await this.beforeOpen(options.path);
    this.opened.push(options.path);
    return { ...SIGNATURE, handle: this.opened.length, files: [], loadedBytes: 0 };
  }

  async ask(): Promise<Answer> {
    throw new Error('the puppet answers nothing');
  }

  async start(_handle: number, plan: ServePlan): Promise<StartReport> {
    if (this.failStart !== undefined) throw this.failStart;
    this.plans.push(plan);
    return REPORT;
  }

  async close(handle: number): Promise<void> {
    this.closed.push(handle);
  }
}

const QUIET = { info() {}, warn() {}, error() {} };

function describe(store: ModelStore): Record<string, unknown> {
  return Object.fromEntries(
    [...store.snapshot.models.values()].map((model) => [
      model.name,
      {
        states: Object.fromEntries([...model.versions.values()].map((v) => [v.version, v.state])),
        serves: model.defaultVersion?.version,
        isReady: model.isReady,
      },
    ]),
  );
}

t.test('a repository: versions by number, odd folders ignored with a warning, the rest named', async (t) => {
  const root = t.testdir({
    digits: {
      '2': { 'model.onnx': '' },
      '10': { 'model.onnx': '' },
      '01': {},
      '1abc': {},
      warmup: {},
      'notes.txt': '',
    },
    single: { '0': { 'model.onnx': '' }, 'config.pbtxt': 'max_batch_size: 4' },
    twice: { '1': {}, 'config.pbtxt': '', 'config.json': '{}' },
    hollow: { 'config.pbtxt': '' },
    'lost+found': {},
    'bad name': { '1': { 'model.onnx': '' } },
    '.git': { '1': {} },
    'readme.md': '',
    'loose.onnx': '',
  });
  const { models, warnings } = await findModels(root);
  t.same(
    models.map((model) => model.name),
    ['bad name', 'digits', 'hollow', 'loose', 'single', 'twice'],
  );
  const byName = new Map(models.map((model) => [model.name, model]));
  t.same(
    byName.get('digits')?.versions.map((found) => found.version),
    ['2', '10'],
  );
  t.same(byName.get('single')?.configFiles, ['config.pbtxt']);
  t.match(byName.get('twice')?.reason, /got both/);
  t.match(byName.get('hollow')?.reason, /expected a version folder/);
  t.match(byName.get('bad name')?.reason, /expected a model name/);
  t.equal(byName.get('loose')?.reason, '');
  t.equal(warnings.length, 3);
  t.match(warnings.join('\n'), /"01" ignored[^]*"1abc" ignored[^]*"lost\+found" ignored/);
});

t.test('one model folder, one file, a folder of files; and what is none of these', async (t) => {
  const root = t.testdir({
    digits: { '1': { 'model.onnx': '' } },
    configured: { 'config.json': '{}', '3': { 'other.onnx': '' } },
    files: { 'a.onnx': '', 'b.v2.onnx': '', 'c.txt': '' },
    'm.onnx': '',
    'm.txt': '',
  });
  const found = async (name: string) =>
    (await findModels(join(root, name))).models.map((m) => [m.name, ...m.versions.map((v) => v.version)]);
  t.same(await found('digits'), [['digits', '1']]);
  t.same(await found('configured'), [['configured', '3']]);
  t.same(await found('files'), [
    ['a', '1'],
    ['b.v2', '1'],
  ]);
  t.same(await found('m.onnx'), [['m', '1']]);
  await t.rejects(findModels(join(root, 'm.txt')), { message: /got another kind of file/ });
  await t.rejects(findModels(join(root, 'absent')), { message: /got nothing there/ });
});

t.test('the model file: plain, in a folder of its name, under another name, absent', async (t) => {
  const root = t.testdir({
    '1': { 'model.onnx': '' },
    '2': { 'model.onnx': { 'model.onnx': '', weights: '' } },
    '3': { 'net.onnx': '' },
  });
  const find = (version: string, name: string) =>
    findModelFile({ version, place: join(root, version) }, name);
  t.same(await find('1', 'model.onnx'), { path: join(root, '1/model.onnx'), directory: join(root, '1') });
  t.same(await find('2', 'model.onnx'), {
    path: join(root, '2/model.onnx/model.onnx'),
    directory: join(root, '2/model.onnx'),
  });
  t.same(await find('3', 'net.onnx'), { path: join(root, '3/net.onnx'), directory: join(root, '3') });
  await t.rejects(find('3', 'model.onnx'), {
    code: 'MODEL_INVALID',
    message: 'expected model.onnx in the folder of version 3, got net.onnx',
  });
});

t.test(
  'the highest version serves; a policy chooses others; a broken model does not stop the rest',
  async (t) => {
    const versions = () => ({
      '1': { 'model.onnx': '' },
      '2': { 'model.onnx': '' },
      '10': { 'model.onnx': '' },
    });
    const root = t.testdir({
      latest: versions(),
      two: { ...versions(), 'config.pbtxt': 'version_policy { latest { num_versions: 2 } }' },
      all: { ...versions(), 'config.json': '{"version_policy":{"all":{}}}' },
      some: { ...versions(), 'config.pbtxt': 'version_policy { specific { versions: [ 1, 7 ] } }' },
      none: { ...versions(), 'config.pbtxt': 'version_policy { specific { versions: [ 7 ] } }' },
      misspelt: { ...versions(), 'config.pbtxt': '\nmax_batchsize: 4' },
      empty: { '1': {} },
    });
    const store = new ModelStore(new PuppetLoader(), QUIET);
    await store.load(root);
    t.same(describe(store), {
      latest: { states: { '10': 'READY' }, serves: '10', isReady: true },
      two: { states: { '2': 'READY', '10': 'READY' }, serves: '10', isReady: true },
      all: { states: { '1': 'READY', '2': 'READY', '10': 'READY' }, serves: '10', isReady: true },
      some: { states: { '1': 'READY' }, serves: '1', isReady: true },
      none: { states: {}, serves: undefined, isReady: false },
      misspelt: { states: {}, serves: undefined, isReady: false },
      empty: { states: { '1': 'REJECTED' }, serves: undefined, isReady: false },
    });
    t.same([...store.snapshot.models.get('all')!.versions.keys()], ['1', '2', '10']);
    t.match(store.snapshot.models.get('misspelt')?.reason, /config\.pbtxt line 2 column 1: unknown field/);
    t.equal(store.isReady(true), false);
    t.equal(store.isReady(false), true);
  },
);

t.test(
  'a version that fails to open or to warm up is rejected with a reason fit for clients, and closed',
  async (t) => {
    const root = t.testdir({
      a: {
        'config.json': '{"version_policy":{"all":{}}}',
        '1': { 'model.onnx': '' },
        '2': { 'model.onnx': '' },
      },
    });
    const loader = new PuppetLoader();
    loader.beforeOpen = async (path) => {
      if (path.includes('/2/')) throw new SluiceError('MODEL_INVALID', 'expected an ONNX model, got 0 bytes');
    };
    const store = new ModelStore(loader, QUIET);
    await store.load(root);
    const model = store.snapshot.models.get('a');
    t.equal(model?.versions.get('2')?.reason, 'expected an ONNX model, got 0 bytes');
    t.equal(model?.defaultVersion?.version, '1');
    t.equal(model?.isReady, false);

    const failing = new PuppetLoader();
    failing.failStart = new Error('/secret/path exploded');
    const other = new ModelStore(failing, QUIET);
    await other.load(root);
    t.equal(
      other.snapshot.models.get('a')?.versions.get('1')?.reason,
      'internal error, see the log of the server',
    );
    t.same(failing.closed, [1, 2]);
  },
);

t.test(
  'while a version loads it is seen as LOADING, and a snapshot taken before stays as it was',
  async (t) => {
    const root = t.testdir({ a: { '1': { 'model.onnx': '' } } });
    const loader = new PuppetLoader();
    const seen: VersionState[] = [];
    let early: ReturnType<typeof describe> = {};
    const store = new ModelStore(loader, QUIET);
    loader.beforeOpen = async () => {
      const { snapshot } = store;
      seen.push(snapshot.models.get('a')!.versions.get('1')!.state);
      t.equal(store.isReady(false), false);
      t.match(route(tableOf(snapshot), 'a', undefined), {
        target: undefined,
        error: 'NOT_READY',
        message: /its state is LOADING/,
      });
      early = { snapshot };
    };
    await store.load(root);
    t.same(seen, ['LOADING']);
    t.equal(
      (early['snapshot'] as typeof store.snapshot).models.get('a')?.versions.get('1')?.state,
      'LOADING',
    );
    t.equal(store.isReady(true), true);
    await store.close();
    t.same(loader.closed, [1]);
    t.equal(store.snapshot.models.get('a')?.versions.get('1')?.state, 'UNLOADED');
    t.equal(store.snapshot.models.get('a')?.versions.get('1')?.handle, -1);
  },
);

t.test('an empty repository is not ready', async (t) => {
  const store = new ModelStore(new PuppetLoader(), QUIET);
  await store.load(t.testdir({}));
  t.equal(store.snapshot.models.size, 0);
  t.equal(store.isReady(true), false);
});

t.test('routing: situation and answer', async (t) => {
  const root = t.testdir({
    a: {
      'config.json': '{"version_policy":{"all":{}}}',
      '1': { 'model.onnx': '' },
      '2': { 'model.onnx': '' },
      '3': {},
    },
    broken: { 'config.pbtxt': 'nope', '1': {} },
  });
  const store = new ModelStore(new PuppetLoader(), QUIET);
  await store.load(root);
  const target = (name: string, version?: string) =>
    route(tableOf(store.snapshot), name, version).target?.version.version;
  t.equal(target('a'), '2');
  t.equal(target('a', '1'), '1');
  const table: Array<[name: string, version: string | undefined, error: string, message: RegExp]> = [
    ['b', undefined, 'MODEL_NOT_FOUND', /^Request for unknown model: "b" is not found/],
    ['__proto__', undefined, 'MODEL_NOT_FOUND', /^Request for unknown model/],
    ['constructor', '1', 'MODEL_NOT_FOUND', /^Request for unknown model/],
    ['a', '4', 'VERSION_NOT_FOUND', /"a" has no version 4/],
    ['a', 'toString', 'VERSION_NOT_FOUND', /has no version or alias "toString"/],
    ['a', '3', 'NOT_READY', /version 3: it could not be loaded, the server's log tells why$/],
    ['broken', undefined, 'NOT_READY', /no version that is ready$/],
  ];
  for (const [name, version, error, message] of table) {
    t.match(route(tableOf(store.snapshot), name, version), { target: undefined, error, message });
  }
});

t.test('states: legal moves are few and the others throw', (t) => {
  const states: VersionState[] = [
    'LOADING',
    'WARMING',
    'VERIFYING',
    'READY',
    'DRAINING',
    'UNLOADED',
    'REJECTED',
  ];
  const legal = states.flatMap((from) =>
    states.filter((to) => mayMove(from, to)).map((to) => `${from}>${to}`),
  );
  t.same(legal, [
    'LOADING>WARMING',
    'LOADING>REJECTED',
    'WARMING>VERIFYING',
    'WARMING>REJECTED',
    'VERIFYING>READY',
    'VERIFYING>REJECTED',
    'READY>DRAINING',
    'DRAINING>UNLOADED',
    'UNLOADED>LOADING',
    'REJECTED>LOADING',
  ]);
  t.throws(() => moveState('model "m" version 1', 'READY', 'LOADING'), {
    message: 'model "m" version 1: a version that is READY cannot become LOADING, only DRAINING',
  });
  t.end();
});
