/**
 * Whatever happens on disk to a version that serves, it answers what it answered; what is not whole is refused. The model
 * looks its answers up in external data that ONNX Runtime maps from a file: table[i][j] = i + j / 8.
 */
import t, { type Test } from 'tap';
import { createHash } from 'node:crypto';
import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunningServer } from '../../src/server.js';
import { startTestServer } from '../support/running.js';
import { fp32, infer, int64 } from '../support/v2-wire.js';

const EXTERNAL = fileURLToPath(new URL('../../build/models/external', import.meta.url));

function copiedRepository(t: Test): { root: string; version: string } {
  const root = join(t.testdir({}), 'models');
  mkdirSync(root);
  cpSync(EXTERNAL, join(root, 'external'), { recursive: true });
  return { root, version: join(root, 'external', '1') };
}

async function isRight(server: RunningServer): Promise<boolean> {
  const ids = [0n, 7n, 999n];
  const inputs = [{ name: 'ID', datatype: 'INT64', shape: [3, 1], bytes: int64(...ids) }];
  const answer = await infer(server.port, 'external', {
    inputs,
    more: '"parameters":{"binary_data_output":true}',
  });
  const truth = fp32(...ids.flatMap((id) => Array.from({ length: 8 }, (_, j) => Number(id) + j / 8)));
  return answer.status === 200 && truth.equals(answer.outputs[0]?.bytes ?? Buffer.alloc(0));
}

t.test(
  'weights that are overwritten, cut off, deleted or swapped do not reach a version that serves',
  async (t) => {
    const { root, version } = copiedRepository(t);
    const { server } = await startTestServer(t, root);
    const weights = join(version, 'weights.bin');
    t.ok(await isRight(server));
    writeFileSync(weights, Buffer.alloc(readFileSync(weights).length), { flag: 'r+' });
    t.ok(await isRight(server), 'overwritten in place');
    truncateSync(weights, 100);
    truncateSync(join(version, 'model.onnx'), 10);
    t.ok(await isRight(server), 'cut off');
    rmSync(weights);
    t.ok(await isRight(server), 'deleted');
    renameSync(version, `${version}.aside`);
    t.ok(await isRight(server), 'renamed away');
  },
);

t.test('the metadata of a version has the hashes of the files that were loaded', async (t) => {
  const { root, version } = copiedRepository(t);
  const { server } = await startTestServer(t, root);
  const files = server.models().models.get('external')?.defaultVersion?.facts?.files ?? [];
  t.same(
    files.map((file) => [file.name, file.bytes, file.sha256]),
    ['model.onnx', 'weights.bin'].map((name) => {
      const bytes = readFileSync(join(version, name));
      return [name, bytes.length, createHash('sha256').update(bytes).digest('hex')];
    }),
  );
});

t.test('private copies lie in a folder of the process only while they are needed', async (t) => {
  const { root } = copiedRepository(t);
  const privateDirectory = join(t.testdirName, 'private');
  mkdirSync(join(privateDirectory, '999999999-1', '1'), { recursive: true });
  const { server } = await startTestServer(t, root, { privateDirectory });
  const [own = '', ...others] = readdirSync(privateDirectory);
  t.same(others, [], 'what a killed process left is gone');
  t.match(own, new RegExp(`^${process.pid}-`));
  t.same(readdirSync(join(privateDirectory, own)), []);
  t.ok(await isRight(server));
  await server.stop();
  t.same(readdirSync(privateDirectory), []);
});

t.test('a manifest must list every file with its hash; strict asks for one', async (t) => {
  const { root, version } = copiedRepository(t);
  const hashes = Object.fromEntries(
    ['model.onnx', 'weights.bin'].map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(version, name)))
        .digest('hex'),
    ]),
  );
  const outcome = async (files: object | undefined, flags = {}) => {
    if (files !== undefined) writeFileSync(join(version, 'manifest.json'), JSON.stringify({ files }));
    const { server } = await startTestServer(t, root, flags);
    const entry = server.models().models.get('external')?.versions.get('1');
    await server.stop();
    return entry?.state === 'READY' ? 'READY' : entry?.reason;
  };
  t.match(await outcome(undefined, { strict: true }), /expected a manifest\.json/);
  t.equal(await outcome(hashes, { strict: true }), 'READY');
  t.equal(await outcome(hashes), 'READY');
  t.match(await outcome({ 'model.onnx': hashes['model.onnx'] }), /"weights\.bin": expected sha256 none/);
  t.match(
    await outcome({ ...hashes, 'weights.bin': '0'.repeat(64) }),
    /"weights\.bin": expected sha256 0000/,
  );
  t.match(await outcome({ 'model.onnx': 'short' }), /manifest\.json files\.model\.onnx: expected a sha256/);
});

t.test('external data with a second name is refused: it may change through that name', async (t) => {
  const { root, version } = copiedRepository(t);
  linkSync(join(version, 'weights.bin'), join(root, 'twin'));
  const { server } = await startTestServer(t, root, { strictReadiness: false });
  t.match(server.models().models.get('external')?.versions.get('1')?.reason, /hard link/);
});
