/** The command as scripts and service managers see it: output, signals, exit codes. Each case is a process of its own. */
import t, { type Test as T } from 'tap';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { allowedCpus, fileText } from '../../src/core/cpus.js';
import { MAIN } from '../support/package.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ANY_PORTS = ['--port', '0', '--admin-port', '0'];

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

class Cli {
  readonly child: ChildProcessWithoutNullStreams;
  private stdout = '';
  private stderr = '';

  constructor(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      env: { ...Object.fromEntries(kept), ...environment },
    });
    this.child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
  }

  /** Resolves when `pattern` shows on either stream; rejects when the process ends before. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (found !== null) return found;
      if (this.child.exitCode !== null)
        throw new Error(`ended before ${pattern}: ${this.stdout}${this.stderr}`);
      await Promise.race([
        once(this.child.stdout, 'data'),
        once(this.child.stderr, 'data'),
        once(this.child, 'close'),
      ]);
    }
  }

  async ended(): Promise<Ended> {
    if (this.child.exitCode === null) await once(this.child, 'close');
    return { exitCode: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}

function start(t: T, args: readonly string[], environment?: NodeJS.ProcessEnv): Cli {
  const cli = new Cli(args, environment);
  t.teardown(() => cli.child.kill('SIGKILL'));
  return cli;
}

function run(t: T, args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Ended> {
  return start(t, args, environment).ended();
}

async function startServing(t: T): Promise<{ cli: Cli; port: number; url: string }> {
  const cli = start(t, ['serve', 'examples/models', ...ANY_PORTS]);
  const [, url = '', port = ''] = await cli.shows(/listening on (http:\/\/127\.0\.0\.1:(\d+))/);
  return { cli, port: Number(port), url };
}

t.test('help and version end with 0; help has examples and the exit codes', async (t) => {
  const [help, version, serveHelp] = await Promise.all([
    run(t, ['--help']),
    run(t, ['--version']),
    run(t, ['serve', '--help']),
  ]);
  t.equal(help.exitCode, 0);
  t.match(help.stdout, /Examples:[^]*sluice serve \.\/models/);
  t.match(version, { exitCode: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(serveHelp, { exitCode: 0, stdout: /--admin-port[^]*SLUICE_ADMIN_PORT[^]*Exit codes:/ });
});

t.test('serve prints a table and its address, answers, and SIGTERM ends it with 0', async (t) => {
  const { cli, url } = await startServing(t);
  const response = await fetch(`${url}/v2/models/digits`);
  t.match(await response.json(), { name: 'digits', inputs: [{ name: 'pixels', shape: [-1, 64] }] });
  cli.child.kill('SIGTERM');
  const { exitCode, stdout } = await cli.ended();
  t.equal(exitCode, 0);
  t.match(stdout, /^MODEL +VERSION +STATE +INPUTS +OUTPUTS +BATCHING +EXECUTION +WARM-UP\n/);
  t.match(
    stdout,
    /\ndigits +1 +READY +pixels FP32\[-1,64\] +probabilities .* up to \d+ of 64 +(inline|worker) +[\d.]+ ms\n/,
  );
  t.match(stdout, /\nmetrics on http:\/\/127\.0\.0\.1:\d+\/metrics\n/);
});

t.test(
  'while a request is unfinished the first signal waits for it, a second one ends with 1 at once',
  async (t) => {
    const { cli, port } = await startServing(t);
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(
      'POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"inputs":',
    );
    // A whole request on another connection: when it is answered, the server has read the unfinished one too.
    await fetch(`http://127.0.0.1:${port}/v2/health/live`);
    cli.child.kill('SIGTERM');
    await cli.shows(/stopping: no longer ready/);
    t.equal(cli.child.exitCode, null);
    cli.child.kill('SIGTERM');
    t.equal((await cli.ended()).exitCode, 1);
  },
);

t.test('wrong usage and wrong settings end with 2 and one line that says what', async (t) => {
  const table: Array<[args: string[], environment: NodeJS.ProcessEnv, stderr: RegExp]> = [
    [['serve'], {}, /^sluice: repository: expected the path/],
    [['serve', 'examples/models', '--prot', '1'], {}, /unknown option '--prot'/],
    [['serve', 'examples/models', '--port', 'http'], {}, /^sluice: port \(--port\): expected a whole number/],
    [
      ['serve', 'examples/models'],
      { SLUICE_HOST: '0.0.0.0' },
      /^sluice: host 0\.0\.0\.0: .*--allow-anonymous/,
    ],
    [
      ['serve', 'no/such/place', ...ANY_PORTS],
      {},
      /^sluice: expected a model repository.*got nothing there/m,
    ],
  ];
  const ends = await Promise.all(table.map(([args, environment]) => run(t, args, environment)));
  ends.forEach((ended, index) => t.match(ended, { exitCode: 2, stderr: table[index]?.[2] }));
});

t.test('nothing to serve, or a port that is taken, ends with 3', async (t) => {
  const root = t.testdir({ broken: { '1': { 'model.onnx': 'not a model' } } });
  const { port } = await startServing(t);
  const [nothing, taken, takenNode] = await Promise.all([
    run(t, ['serve', root, ...ANY_PORTS]),
    run(t, ['serve', 'examples/models', '--port', String(port), '--admin-port', '0']),
    run(t, ['serve', 'examples/models', '--port', String(port), '--admin-port', '0', '--transport', 'node']),
  ]);
  t.match(nothing, {
    exitCode: 3,
    stdout: /broken +1 +REJECTED: .*not an ONNX model/,
    stderr: /nothing to serve/,
  });
  t.notMatch(nothing.stdout, /listening on/);
  t.equal(taken.exitCode, 3);
  t.equal(takenNode.exitCode, 3);
});

t.test('inspect and doctor', async (t) => {
  const root = t.testdir({ 'broken.onnx': 'not a model' });
  const [inspect, broken, doctor, noRuntime] = await Promise.all([
    run(t, ['inspect', 'examples/models/digits', '--json']),
    run(t, ['inspect', `${root}/broken.onnx`]),
    run(t, ['doctor', '--json']),
    run(t, ['doctor', '--onnxruntime', `${root}/nothing.so`]),
  ]);
  t.match(JSON.parse(inspect.stdout), {
    name: 'digits',
    signature: { inputs: [{ name: 'pixels', datatype: 'FP32', shape: [-1, 64] }] },
    config: { max_batch_size: 64 },
  });
  t.match(broken, { exitCode: 3, stderr: /^sluice: .*not an ONNX model/ });
  const findings = JSON.parse(doctor.stdout) as Array<{ what: string; state: string }>;
  t.equal(doctor.exitCode, findings.some(({ state }) => state === 'missing') ? 1 : 0);
  t.match(
    findings.find(({ what }) => what === 'ONNX Runtime'),
    { state: 'ok' },
  );
  t.match(noRuntime, { exitCode: 1, stdout: /MISSING +ONNX Runtime .* -> / });
});

t.test('output that nobody reads to its end is no error', async (t) => {
  const cli = start(t, ['inspect', 'examples/models/digits/1/model.onnx']);
  cli.child.stdout.destroy();
  t.same(await cli.ended(), { exitCode: 0, stdout: '', stderr: '' });
});

t.test('inspect opens a model as its configuration says', async (t) => {
  const missing = Math.max(...(allowedCpus(fileText) ?? []), 0) + 1;
  const parameter = (key: string, value: string): string =>
    `parameters { key: "${key}" value { string_value: "${value}" } }\n`;
  const root = t.testdir({
    digits: {
      'config.pbtxt': 'version_policy { specific { versions: [1] } }\n',
      '1': {},
      '2': { 'model.onnx': 'not a model' },
    },
  });
  copyFileSync(`${ROOT}/examples/models/digits/1/model.onnx`, `${root}/digits/1/model.onnx`);
  const chosen = await run(t, ['inspect', `${root}/digits`]);
  t.equal(chosen.exitCode, 0, 'the version of the policy, not the highest');
  const threads =
    parameter('intra_op_thread_count', '2') + parameter('sluice.intra_op_cpus', String(missing));
  writeFileSync(`${root}/digits/config.pbtxt`, threads);
  rmSync(`${root}/digits/2`, { recursive: true });
  const refused = await run(t, ['inspect', `${root}/digits`]);
  t.match(
    refused.stderr,
    new RegExp(`intra_op_cpus: expected CPUs that the process may use .*got ${missing}`),
  );
  t.not(refused.exitCode, 0);
});

t.test(
  'keys: a new file is its owner’s alone, one that is there keeps its readers and its place',
  async (t) => {
    const root = t.testdir({});
    const add = async (id: string, file: string): Promise<void> => {
      const added = await run(t, ['keys', 'new', '--id', id, '--scopes', 'infer', '--file', file]);
      t.equal(added.exitCode, 0, added.stderr);
    };
    const modeOf = (file: string): number => statSync(file).mode & 0o777;
    await add('first', `${root}/keys.json`);
    t.equal(modeOf(`${root}/keys.json`), 0o600);
    chmodSync(`${root}/keys.json`, 0o644);
    symlinkSync('keys.json', `${root}/link.json`);
    await add('second', `${root}/link.json`);
    t.equal(modeOf(`${root}/keys.json`), 0o644);
    const { keys } = JSON.parse(readFileSync(`${root}/keys.json`, 'utf8')) as { keys: Array<{ id: string }> };
    t.same(
      keys.map(({ id }) => id),
      ['first', 'second'],
    );
  },
);
