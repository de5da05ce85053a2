/**
 * Shadows on a whole server: what a known difference is told as, what is kept of it, and that nothing a shadow does reaches
 * an answer of its primary.
 */
import t, { type Test } from 'tap';
import { appendFileSync, cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MismatchRow, ShadowReport } from '../../src/shadow/report.js';
import { digitsRepository, heldOutPixels } from '../support/digits.js';
import { DataType } from '../../src/wire/generated/data-type.js';
import { requestFrame } from '../support/frames.js';
import { ask, type RawReply } from '../support/raw-http.js';
import { FAULTS, FAULTY_PARTS, startTestServer } from '../support/running.js';
import { fp32, wireBody } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const BINARY = '"parameters":{"binary_data_output":true}';

async function until<Value>(read: () => Promise<Value>, isGood: (value: Value) => boolean): Promise<Value> {
  for (let looks = 0; ; looks += 1) {
    const value = await read();
    if (isGood(value) || looks > 2000) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

class Rig {
  constructor(
    readonly port: number,
    readonly adminPort: number,
    readonly model: string,
  ) {}

  async admin(method: string, path: string, body?: object): Promise<RawReply> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const reply = await ask(this.adminPort, method, path, text, JSON_TYPE);
    if (reply === undefined) throw new Error(`no reply to ${method} ${path}`);
    return reply;
  }

  async setShadow(...shadow: object[]): Promise<RawReply> {
    return this.admin('PUT', `/shadow/${this.model}`, { shadow });
  }

  async report(): Promise<ShadowReport> {
    const reply = await this.admin('GET', `/shadow/${this.model}`);
    return (JSON.parse(reply.body.toString()) as { shadows: ShadowReport[] }).shadows[0]!;
  }

  /** Once everything that was sampled has found its end. */
  async settled(): Promise<ShadowReport> {
    return until(
      () => this.report(),
      ({ facts }) => {
        if (facts === null) return true;
        const lost = [...Object.values(facts.dropped), ...Object.values(facts.skipped)];
        return (
          facts.waiting === 0 && lost.reduce((sum, count) => sum + count, facts.compared) === facts.answered
        );
      },
    );
  }

  async ask(version: string, pixels: readonly number[], name = 'pixels'): Promise<RawReply> {
    const inputs = [{ name, datatype: 'FP32', shape: [1, pixels.length], bytes: fp32(...pixels) }];
    const { body, headers } = wireBody({ inputs, more: BINARY });
    const path = `/v2/models/${this.model}/versions/${version}/infer`;
    const reply = await ask(this.port, 'POST', path, body, headers);
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }
}

async function digits(t: Test, factors: readonly number[]): Promise<Rig> {
  const { server } = await startTestServer(t, digitsRepository(t.testdir({}), factors));
  return new Rig(server.port, server.adminPort, 'digits');
}

t.test(
  'an equal version agrees, one per cent of the weights is flagged, a flipped sign at once',
  async (t) => {
    const rig = await digits(t, [1, 1, 1.01, -1]);
    const images = heldOutPixels();

    await rig.setShadow({ version: '2', of: '1' });
    for (const pixels of images.slice(0, 200)) await rig.ask('1', pixels);
    const equal = await rig.settled();
    t.ok((equal.facts?.compared ?? 0) > 100, `${equal.facts?.compared} compared`);
    t.equal(equal.facts?.apart, 0);
    t.equal(equal.isFlagged, false);

    await rig.setShadow({ version: '3', of: '1' });
    for (const pixels of images) await rig.ask('1', pixels);
    const subtle = await rig.settled();
    t.comment(subtle.verdict);
    t.equal(subtle.isFlagged, true, 'subtly wrong');
    const [probabilities, label] = subtle.facts?.outputs ?? [];
    t.ok((probabilities?.maxAbsolute ?? 0) < 0.2, 'though no probability is far away');
    t.ok((label?.requestsApart ?? 0) <= 2, 'and the label is the same');

    await rig.setShadow({ version: '4', of: '1' });
    let asked = 0;
    for (; asked < 100 && !(await rig.settled()).isFlagged; asked += 1) await rig.ask('1', images[asked]!);
    t.comment(`flagged after ${asked} requests`);
    t.ok(asked < 100);
    t.match((await rig.report()).verdict, /compared requests differ .* more than the 1 % allowed/);
  },
);

t.test('a mismatch can be downloaded and sent again', async (t) => {
  const rig = await digits(t, [1, -1]);
  await rig.setShadow({ version: '2', of: '1' });
  for (const pixels of heldOutPixels().slice(0, 20)) await rig.ask('1', pixels);
  await rig.settled();
  const list = await rig.admin('GET', '/shadow/digits/mismatches');
  const { mismatches } = JSON.parse(list.body.toString()) as { mismatches: MismatchRow[] };
  t.ok(mismatches.length > 0 && mismatches.length <= 16);
  const [worst] = mismatches;
  t.match(worst, { primary: '1', shadow: '2', hasBodies: true, rows: 1 });
  t.same(
    mismatches.map(({ excess }) => excess),
    mismatches.map(({ excess }) => excess).sort((a, b) => b - a),
    'the worst first',
  );

  const part = (name: string) => rig.admin('GET', `/shadow/digits/mismatches/${worst?.id}?part=${name}`);
  const request = await part('request');
  const tensors = (reply: RawReply): Buffer =>
    reply.body.subarray(Number(reply.headers['inference-header-content-length']));
  t.equal(tensors(request).byteLength, 64 * 4);
  for (const [version, name] of [
    ['1', 'primary'],
    ['2', 'shadow'],
  ] as const) {
    const again = await ask(rig.port, 'POST', `/v2/models/digits/versions/${version}/infer`, request.body, {
      'inference-header-content-length': String(request.headers['inference-header-content-length']),
    });
    t.same(again?.body, (await part(name)).body, `version ${version} answers the same again`);
  }
  t.equal((await rig.admin('GET', '/shadow/digits/mismatches/77-1')).status, 404);
  t.equal((await part('nothing')).status, 400);
});

t.test('requests that come as frames are sampled and compared as those over HTTP are', async (t) => {
  const rig = await digits(t, [1, -1]);
  await rig.setShadow({ version: '2', of: '1' });
  const images = heldOutPixels().slice(0, 20);
  const client = await WsClient.open(rig.port);
  await client.frame();
  const probabilities: Buffer[] = [];
  for (const [id, pixels] of images.entries()) {
    const input = {
      name: 'pixels',
      datatype: DataType.FP32,
      shape: [1, pixels.length],
      data: fp32(...pixels),
    };
    client.send(requestFrame({ id, model: 'digits', version: '1', inputs: [input] }));
    const answer = (await client.frame()).response();
    t.equal(answer?.version(), '1', 'the primary answers');
    probabilities.push(Buffer.from(answer!.outputs(0)!.dataArray()!));
  }
  client.close();
  const { facts } = await rig.settled();
  // One may be dropped: the loop does not wait for the lock of a shadow that a busy machine has stopped.
  const dropped = Object.values(facts?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
  t.match(facts, { sampled: images.length, compared: images.length - dropped });
  t.ok(dropped <= 2, `${dropped} dropped`);
  t.ok((facts?.apart ?? 0) > 0, `${facts?.apart} apart`);

  const list = await rig.admin('GET', '/shadow/digits/mismatches');
  const [worst] = (JSON.parse(list.body.toString()) as { mismatches: MismatchRow[] }).mismatches;
  t.match(worst, { primary: '1', shadow: '2', hasBodies: true, rows: 1 });
  const kept = await rig.admin('GET', `/shadow/digits/mismatches/${worst?.id}?part=request`);
  const headLength = String(kept.headers['inference-header-content-length']);
  const again = await ask(rig.port, 'POST', '/v2/models/digits/versions/1/infer', kept.body, {
    'inference-header-content-length': headLength,
  });
  t.equal(again?.status, 200, 'what was kept of a frame is a request over HTTP');
  const tensors = again!.body.subarray(Number(again!.headers['inference-header-content-length']));
  t.ok(
    probabilities.some((bytes) => tensors.indexOf(bytes) >= 0),
    'that gets the answer which the frame got',
  );
});

t.test('rules are checked, and a shadow that cannot run says why', async (t) => {
  const rig = await digits(t, [1, 1]);
  const refusal = async (rule: object): Promise<string> => (await rig.setShadow(rule)).body.toString();
  t.match(
    await refusal({ version: '2', percent: 101 }),
    /shadow\[0\]\.percent: expected a number from 0 to 100/,
  );
  t.match(await refusal({ version: '2', outputs: { label: { judge: 'best' } } }), /outputs\.label\.judge/);
  t.match(await refusal({ of: '1' }), /shadow\[0\]\.version/);
  t.match(await refusal({ version: '2', sample: 5 }), /sample/);
  t.equal((await rig.admin('PUT', '/shadow/nobody', { shadow: [] })).status, 404);
  await rig.setShadow({ version: '2', seed: 7 });
  t.match(
    await refusal({ version: '9' }),
    /rollout\.json: shadow\[0\]\.version: model \\"digits\\" has no version 9, it has 1, 2/,
  );
  t.match(await refusal({ version: '2', of: '9' }), /shadow\[0\]\.of: .* has no version 9/);
  t.match(
    await refusal({ version: 'canary' }),
    /shadow\[0\]\.version: expected a version or one of the aliases/,
  );
  t.match(await rig.report(), { isRunning: true, rule: { version: '2', seed: 7 } }, 'what was good goes on');
  await rig.setShadow({ version: '2', of: '2' });
  t.match(await rig.report(), { isRunning: false, reason: 'a version cannot be its own shadow' });
  await rig.setShadow({ version: '2', percent: 0 });
  await rig.ask('1', heldOutPixels()[0]!);
  t.match(await rig.report(), { isRunning: true, primary: '1', facts: { sampled: 0 } });
  await rig.setShadow({ version: '2', when: { header: 'x-tenant', equals: 'acme' } });
  await rig.ask('1', heldOutPixels()[0]!);
  t.match(await rig.report(), { facts: { sampled: 0 } });
  await rig.setShadow();
  t.same(JSON.parse((await rig.admin('GET', '/shadow')).body.toString()), { shadows: [] });
});

t.test('a shadow whose answers have another shape is told so, and changes no answer', async (t) => {
  const models = fileURLToPath(new URL('../../build/models', import.meta.url));
  const repository = join(t.testdir({}), 'models');
  mkdirSync(repository);
  cpSync(join(models, 'tiny'), join(repository, 'tiny'), { recursive: true });
  appendFileSync(join(repository, 'tiny/config.pbtxt'), '\nversion_policy { all { } }\n');
  // The same input; its 64 values come back, where the primary answers with 10.
  cpSync(join(models, 'identity_fp32/1'), join(repository, 'tiny/2'), { recursive: true });
  const { server } = await startTestServer(t, repository);
  const rig = new Rig(server.port, server.adminPort, 'tiny');
  const row = Array.from({ length: 64 }, (_, i) => Math.cos(i));
  const askAll = async () =>
    (await Promise.all(Array.from({ length: 10 }, () => rig.ask('1', row, 'INPUT0')))).map(
      ({ status, body }) => `${status} ${body.toString('hex')}`,
    );
  const without = await askAll();
  await rig.setShadow({ version: '2', of: '1' });
  t.same(await askAll(), without, 'the same bytes');
  t.match(without[0], /^200 /);
  const { facts } = await rig.settled();
  t.ok((facts?.compared ?? 0) > 0);
  t.equal(facts?.outputs[0]?.otherShape, facts?.compared);
  t.equal(facts?.apart, facts?.compared);
});

t.test('whatever a shadow does, the answers of its primary are the same bytes', async (t) => {
  const repository = join(t.testdir({}), 'models');
  mkdirSync(repository);
  cpSync(fileURLToPath(new URL('../../build/models/tiny', import.meta.url)), join(repository, 'tiny'), {
    recursive: true,
  });
  appendFileSync(join(repository, 'tiny/config.pbtxt'), '\nversion_policy { all { } }\n');
  cpSync(join(repository, 'tiny/1'), join(repository, 'tiny/2'), { recursive: true });
  process.env['SLUICE_FAULTY_VERSION'] = '2';
  t.teardown(() => delete process.env['SLUICE_FAULTY_VERSION']);
  const { server } = await startTestServer(t, repository, { workers: 1 }, FAULTY_PARTS);
  const rig = new Rig(server.port, server.adminPort, 'tiny');
  const metadata = await ask(rig.port, 'GET', '/v2/models/tiny');
  const [input] = (
    JSON.parse(metadata?.body.toString() ?? '') as { inputs: Array<{ name: string; shape: number[] }> }
  ).inputs;
  const width = input?.shape.at(-1) ?? 0;
  const rows = Array.from({ length: 12 }, (_, row) =>
    Array.from({ length: width }, (_, i) => Math.sin(row * width + i)),
  );
  const askAll = (mark: number, argument: number) =>
    Promise.all(
      rows.map(async (row, index) => {
        const marked = index % 3 === 0 && mark !== 0 ? [mark, argument, ...row.slice(2)] : row;
        const { status, body } = await rig.ask('1', marked, input?.name);
        return `${status} ${body.toString('hex')}`;
      }),
    );

  for (const [name, mark] of Object.entries(FAULTS)) {
    const argument = name === 'slow' ? 300 : 0;
    await rig.setShadow();
    const without = await askAll(mark, argument);
    await rig.setShadow({ version: '2', of: '1', maxWaiting: 8 });
    t.same(await askAll(mark, argument), without, `${name}: the same bytes`);
    t.ok(without.every((answer) => answer.startsWith('200 ')));
    const { facts } = await rig.settled();
    if (['throw', 'fail', 'outOfMemory', 'wrongRows', 'garbledRank'].includes(name))
      t.ok((facts?.skipped['runFailed'] ?? 0) > 0, `${name}: counted as failed`);
    if (name === 'nan') t.ok((facts?.outputs[0]?.elementsOdd ?? 0) > 0, 'a NaN is counted');
  }

  // Hangs for longer than the test: its queue fills, the rest is dropped, and the version goes all the same.
  await rig.setShadow();
  const without = await askAll(0, 0);
  await rig.setShadow({ version: '2', of: '1', maxWaiting: 4 });
  await askAll(FAULTS.slow, 3000);
  for (let round = 0; round < 5; round += 1)
    t.same(await askAll(0, 0), without, 'beside a shadow that hangs');
  const { facts } = await rig.report();
  t.ok((facts?.dropped['queueFull'] ?? 0) > 0, 'dropped and counted');
  t.ok((facts?.waiting ?? 9) <= 4, 'bounded');
  const unload = rig.admin('POST', '/models/tiny/versions/2/unload', {});
  t.same(await askAll(0, 0), without, 'while the shadow is unloaded');
  t.comment(`unload: ${(await unload).status}`);
  t.same(await askAll(0, 0), without, 'after it');
});
