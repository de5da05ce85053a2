/**
 * `dynamic_batching` as Triton means it, on a whole server: what waits for company and how long, which sizes end the wait,
 * and the order of answers. What happened is read from the reasons of releases and from the sizes of batches.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { DataType } from '../../src/wire/generated/data-type.js';
import { readExposition } from '../support/exposition.js';
import { requestFrame } from '../support/frames.js';
import { ask } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { fp32 } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));
const MODEL = 'identity_fp32';

async function serve(t: Test, batching: string) {
  const repository = join(t.testdir({}), 'models');
  mkdirSync(join(repository, MODEL), { recursive: true });
  symlinkSync(join(MODELS, MODEL, '1'), join(repository, MODEL, '1'));
  const config = `max_batch_size: 32\ndynamic_batching { ${batching} }\n`;
  writeFileSync(join(repository, MODEL, 'config.pbtxt'), config);
  return (await startTestServer(t, repository, { workers: 2 })).server;
}

/** Sends one request for each width in one go; the ids of the answers as they come, each checked. */
async function askAll(t: Test, port: number, widths: readonly number[]): Promise<number[]> {
  const client = await WsClient.open(port);
  await client.frame();
  widths.forEach((width, id) => {
    const data = fp32(...Array.from({ length: width }, (_, index) => id * 100 + index));
    const input = { name: 'INPUT0', datatype: DataType.FP32, shape: [1, width], data };
    client.send(requestFrame({ id, model: MODEL, inputs: [input] }));
  });
  const ids: number[] = [];
  while (ids.length < widths.length) {
    const response = (await client.frame()).response();
    const id = response?.id() ?? -1;
    const values = new Float32Array(response!.outputs(0)!.dataArray()!.slice().buffer);
    t.same([values.length, values[0]], [widths[id], id * 100], `answer ${id}`);
    ids.push(id);
  }
  client.close();
  await client.closed();
  return ids;
}

/** Releases by reason, those that happened, and runs by their rows. */
async function batchesOf(adminPort: number) {
  const text = (await ask(adminPort, 'GET', '/metrics'))?.body.toString() ?? '';
  const families = readExposition(text, 'prometheus');
  const releases = families.get('sluice_batch_releases_total')?.samples ?? [];
  const rows = families.get('sluice_batch_rows')?.samples ?? [];
  const of = (suffix: string): number =>
    rows.find(({ name }) => name === `sluice_batch_rows_${suffix}`)?.value ?? NaN;
  return {
    releases: Object.fromEntries(
      releases.filter(({ value }) => value > 0).map(({ labels, value }) => [labels['reason'], value]),
    ),
    runs: of('count'),
    rows: of('sum'),
  };
}

t.test('a delay holds a request for company, and no longer', async (t) => {
  const { port, adminPort } = await serve(t, 'max_queue_delay_microseconds: 400000');
  await askAll(t, port, [3, 3, 3]);
  t.same(await batchesOf(adminPort), { releases: { delay_over: 1 }, runs: 1, rows: 3 });
});

t.test('without a delay nobody waits: preferred sizes alone hold nothing back', async (t) => {
  const { port, adminPort } = await serve(t, 'preferred_batch_size: [ 16 ]');
  await askAll(t, port, [3]);
  const { releases, rows } = await batchesOf(adminPort);
  t.equal(releases['delay_over'] ?? 0, 0);
  t.equal(rows, 1);
});

t.test('a preferred size ends the wait, and what is over waits on for its delay', async (t) => {
  const config = 'max_queue_delay_microseconds: 2000000 preferred_batch_size: [ 4 ]';
  const { port, adminPort } = await serve(t, config);
  await askAll(t, port, [3, 3, 3, 3, 3, 3]);
  t.same(await batchesOf(adminPort), { releases: { preferred: 1, delay_over: 1 }, runs: 2, rows: 6 });
});

t.test(
  'with preserve_ordering answers come in the order of their requests, also across shapes',
  async (t) => {
    const { port } = await serve(t, 'preserve_ordering: true');
    const widths = Array.from({ length: 60 }, (_, index) => 1 + ((index * 7) % 5));
    t.same(
      await askAll(t, port, widths),
      widths.map((_, index) => index),
    );
  },
);
