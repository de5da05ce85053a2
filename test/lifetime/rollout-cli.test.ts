/** The verbs that show and change a running server, as people and scripts use them: what they print, how they end. */
import t from 'tap';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN } from '../support/package.js';
import { readSettings } from '../../src/config.js';
import { hashKey } from '../../src/access/key-file.js';
import { startServer } from '../../src/server.js';
import { linkedRepository, PARTS } from '../support/running.js';

const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };
const KEY = 'a-key-for-the-one-who-operates';

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

t.test('a rollout from the command line', async (t) => {
  const linked = linkedRepository(t, ['versioned']);
  const repository = join(linked, '../own');
  mkdirSync(repository);
  cpSync(realpathSync(join(linked, 'versioned')), join(repository, 'versioned'), { recursive: true });
  const keys = join(linked, '../keys.json');
  const entry = { id: 'ops', sha256: hashKey(KEY).toString('hex'), scopes: ['admin'] };
  writeFileSync(keys, JSON.stringify({ keys: [entry] }));
  const settings = readSettings({ repository, port: 0, adminPort: 0, keys }, {});
  const server = await startServer(settings, QUIET, PARTS);
  t.teardown(() => server.stop());
  const environment = { SLUICE_ADMIN_URL: `http://127.0.0.1:${server.adminPort}`, SLUICE_ADMIN_KEY: KEY };
  const sluice = (args: string[], more: Record<string, string> = {}): Promise<Ended> =>
    new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], ...environment, ...more };
      const child = execFile(process.execPath, [MAIN, ...args], { env }, (_error, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
      });
    });

  t.match(await sluice(['route', 'alias', 'versioned', 'stable', '1']), {
    exitCode: 0,
    stdout: 'versioned: stable moved from nothing to version 1\n',
  });
  await sluice(['route', 'alias', 'versioned', 'canary', '2']);
  t.match(await sluice(['route', 'split', 'versioned', 'stable=99.5', 'canary=0.5%']), {
    exitCode: 0,
    stdout: 'versioned: split: stable 99.5 %, canary 0.5 %\n',
  });
  const [models, shown, wrong, noKey] = await Promise.all([
    sluice(['models']),
    sluice(['route', 'show']),
    sluice(['route', 'split', 'versioned', 'stable=90']),
    sluice(['route', 'show'], { SLUICE_ADMIN_KEY: 'wrong' }),
  ]);
  t.match(models.stdout, /^MODEL +VERSION +STATE +SHARE +ALIASES/);
  t.match(models.stdout, /^versioned +1 +READY +99\.5 % +stable /m);
  t.match(models.stdout, /^versioned +2 +READY +0\.5 % +canary /m);
  t.match(shown.stdout, /^versioned +99\.5 % of the rest +stable \(version 1\)$/m);
  t.match(wrong, {
    exitCode: 2,
    stderr: /^sluice: rollout\.json: split: expected weights that add up to 100, got 90/,
  });
  t.match(noKey, { exitCode: 2, stderr: /API key.*401/ });
  t.match(await sluice(['rollout', 'promote', 'versioned']), { stdout: /version 2 is stable now/ });
  const status = await sluice(['rollout', 'rollback', 'versioned', '--json']);
  t.match(JSON.parse(status.stdout), { rollout: { aliases: { stable: '1', previous: '2' } } });
  const last = await sluice(['rollout', 'status', 'versioned', '--last', '2']);
  t.match(
    last.stdout,
    / ops +version 2 is stable now.*\n.* ops +stable went back from version 2 to version 1\n$/,
  );
});
