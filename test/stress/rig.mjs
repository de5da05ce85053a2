/**
 * What the stress scripts of the model repository share: a server in a process of its own, its admin calls, what the system
 * says of the process, and models whose answers tell which version gave them (version v answers X + v).
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plusConstant } from '../../scripts/models/elementwise.mjs';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const isShort = process.argv.includes('--short');

/** Starts `sluice serve` and waits until it prints its address; answers what is needed to talk to it. */
export async function startServer(repository, flags = [], options = {}) {
  const beganMs = performance.now();
  const child = spawn(
    process.execPath,
    [join(ROOT, 'dist/cli/main.js'), 'serve', repository, '--port', '0', '--admin-port', '0', ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'], ...options },
  );
  let out = '';
  let log = '';
  child.stderr.on('data', (text) => (log = (log + text).slice(-1_000_000)));
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      out += text;
      if (/listening on/.test(out)) resolve();
    });
    child.once('exit', () => reject(new Error(`the server ended: ${log.slice(-2000)}`)));
  });
  const port = Number(/listening on http:\/\/[^:]+:(\d+)/.exec(out)[1]);
  const adminPort = Number(/metrics on http:\/\/[^:]+:(\d+)/.exec(out)[1]);
  return {
    child,
    pid: child.pid,
    port,
    adminPort,
    exited,
    startMs: performance.now() - beganMs,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

export async function admin(server, method, path, body) {
  const reply = await fetch(`http://127.0.0.1:${server.adminPort}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: reply.status, body: await reply.json() };
}

/** Resident bytes, threads and open files of a process. */
export function processFacts(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  return {
    residentMiB: number('VmRSS') / 1024,
    threads: number('Threads'),
    files: readdirSync(`/proc/${pid}/fd`).length,
  };
}

export function plusModel(version) {
  return Buffer.from(plusConstant(version));
}

/** Writes a version aside and puts it in its place by one rename. `goldenAdds` differs from the version: its gate fails. */
export function publish(repository, model, version, { goldenAdds } = {}) {
  const place = join(repository, model, String(version));
  const aside = join(repository, `.${model}-${version}`);
  mkdirSync(aside, { recursive: true });
  writeFileSync(join(aside, 'model.onnx'), plusModel(version));
  if (goldenAdds !== undefined) {
    const x = [1, 2, 3, 4];
    const tensor = (name, data) => ({ name, datatype: 'FP32', shape: [1, 4], data });
    mkdirSync(join(aside, 'golden'));
    const request = JSON.stringify({ inputs: [tensor('INPUT0', x)] });
    const answer = JSON.stringify({
      outputs: [
        tensor(
          'OUTPUT0',
          x.map((value) => value + goldenAdds),
        ),
      ],
    });
    writeFileSync(join(aside, 'golden', 'one.request.json'), request);
    writeFileSync(join(aside, 'golden', 'one.answer.json'), answer);
  }
  mkdirSync(dirname(place), { recursive: true });
  renameSync(aside, place);
}

export function withdraw(repository, model, version) {
  rmSync(join(repository, model, String(version)), { recursive: true, force: true });
}

export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Prints a table of two columns and sets the exit code by what must hold. */
export function report(title, rows, mustHold) {
  process.stdout.write(`\n${title}\n`);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) process.stdout.write(`  ${name.padEnd(width)}  ${value}\n`);
  for (const [name, holds] of mustHold) {
    process.stdout.write(`  ${holds ? 'ok    ' : 'FAILED'} ${name}\n`);
    if (!holds) process.exitCode = 1;
  }
}
