/** `sluice shadow` against a running server, and what /metrics says of the same shadow: all three tell one story. */
import t from 'tap';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN } from '../support/package.js';
import type { ShadowReport } from '../../src/shadow/report.js';
import { digitsRepository, heldOutPixels } from '../support/digits.js';
import { readExposition } from '../support/exposition.js';
import { ask } from '../support/raw-http.js';
import { startTestServer } from '../support/running.js';
import { fp32, infer } from '../support/v2-wire.js';

const REQUESTS = 10;

/** Samples of which it is known what became of them. */
function settled(facts: ShadowReport['facts'] | undefined): number {
  const dropped = Object.values(facts?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
  return (facts?.compared ?? 0) + dropped;
}

t.test('reports, metrics and a replay of a shadow whose answers differ', async (t) => {
  const folder = t.testdir({});
  const { server } = await startTestServer(t, digitsRepository(folder, [1, -1]));
  const url = `http://127.0.0.1:${server.port}`;
  const out = join(folder, 'request.bin');
  const sluice = (...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], SLUICE_ADMIN_URL: `http://127.0.0.1:${server.adminPort}` };
      const child = execFile(
        process.execPath,
        [MAIN, 'shadow', ...args],
        { env },
        (_error, stdout, stderr) => {
          resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
        },
      );
    });
  const admin = async (method: string, path: string, body?: object) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const reply = await ask(server.adminPort, method, path, text, { 'content-type': 'application/json' });
    return reply?.body.toString() ?? '';
  };
  const shadow = [{ version: '2', of: '1' }];
  const split = [
    { to: '1', weight: 75 },
    { to: '2', weight: 25 },
  ];
  await admin('PUT', '/models/digits/rollout', { shadow, split });
  const report = async () =>
    (JSON.parse(await admin('GET', '/shadow/digits')) as { shadows: ShadowReport[] }).shadows[0]?.facts;
  // One after the other, until enough are compared: on a busy machine a sample may be dropped.
  let sent = 0;
  for (const pixels of heldOutPixels().slice(0, 10 * REQUESTS)) {
    if ((await report())?.compared === REQUESTS) break;
    const inputs = [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], bytes: fp32(...pixels) }];
    t.equal((await infer(server.port, 'digits/versions/1', { inputs })).status, 200);
    sent += 1;
    for (let looks = 0; looks < 1000 && settled(await report()) !== sent; looks += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const facts = await report();
  t.equal(facts?.compared, REQUESTS);

  const families = readExposition(await admin('GET', '/metrics'), 'prometheus');
  const labels = { model: 'digits', version: '1', shadow: '2' };
  const values = (name: string, sample = name) =>
    (families.get(name)?.samples ?? [])
      .filter((one) => one.name === sample)
      .map((one) => [one.labels, one.value]);
  t.same(values('sluice_shadow_sampled_requests_total'), [[labels, sent]]);
  t.same(values('sluice_shadow_comparisons_total'), [[labels, REQUESTS]]);
  t.same(values('sluice_shadow_apart_total'), [[labels, facts?.apart]]);
  t.same(values('sluice_shadow_flagged'), [[labels, 1]]);
  t.same(values('sluice_shadow_waiting'), [[labels, 0]]);
  t.ok(
    values('sluice_shadow_dropped_total').some(([of]) => (of as { reason: string }).reason === 'queue_full'),
  );
  t.same(values('sluice_shadow_run_seconds', 'sluice_shadow_run_seconds_count'), [
    [{ ...labels, side: 'version' }, REQUESTS],
    [{ ...labels, side: 'shadow' }, REQUESTS],
  ]);
  t.same(values('sluice_split_ratio'), [
    [{ model: 'digits', version: '1' }, 0.75],
    [{ model: 'digits', version: '2' }, 0.25],
  ]);

  const [text, json, list] = await Promise.all([
    sluice('report'),
    sluice('report', 'digits', '--json'),
    sluice('mismatches', 'digits'),
  ]);
  // A replay asks the primary, so the shadow sees one request more.
  const [replay, wrongId, wrongModel] = await Promise.all([
    sluice('replay', 'digits', '--url', url, '--out', out),
    sluice('replay', 'digits', '99-9', '--url', url),
    sluice('report', 'nobody'),
  ]);
  t.match(text.stdout, /^MODEL +OF +SHADOW +COMPARED +APART/);
  t.match(text.stdout, /^digits +1 +2 +10 +\d+ .* FLAGGED: \d+ of 10 compared requests differ/m);
  t.match(text.stdout, /^digits +2 +probabilities +\d+ of 10 /m);
  t.match(JSON.parse(json.stdout), { shadows: [{ model: 'digits', isFlagged: true }] });
  t.match(list.stdout, /^ID +TIME .*\n\d+-\d+ .* probabilities/);
  t.match(replay.stdout, /^version 1 \(primary\): 200, the same bytes as then$/m);
  t.match(replay.stdout, /^version 2 \(shadow\): 200, the same bytes as then$/m);
  t.equal(
    readFileSync(out).byteLength,
    Number(/Content-Length: (\d+)/.exec(replay.stdout)?.[1]) + 64 * 4,
    'the request is the JSON part and its pixels',
  );
  t.match(wrongId, {
    exitCode: 2,
    stderr: /expected the id of a mismatch that is kept, got "99-9": there are /,
  });
  t.match(wrongModel, { exitCode: 2, stderr: /"nobody" is not found .*404/ });

  await admin('PUT', '/shadow/digits', { shadow: [] });
  t.match(await sluice('report'), { exitCode: 0, stdout: 'no shadows\n' });
  const after = readExposition(await admin('GET', '/metrics'), 'prometheus');
  t.notOk(after.has('sluice_shadow_comparisons_total'), 'the series go with the shadow');
});
