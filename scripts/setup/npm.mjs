// The npm packages: `npm ci` when node_modules does not hold what the lock file names.
// Install scripts are never run: none is needed, and that of onnxruntime-node downloads CUDA providers or fails.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './step.mjs';
import { hashOf, isFresh, ROOT, writeStamp } from './stamp.mjs';

export async function bringPackages({ progress }) {
  const hash = hashOf({ paths: ['package-lock.json'] });
  if (isFresh('npm', hash, ['node_modules/.package-lock.json'])) return;
  if (!holdsLockedPackages()) {
    // The npm package comes without the lock file.
    const hasLock = existsSync(join(ROOT, 'package-lock.json'));
    const count = hasLock
      ? `${Object.keys(readLock('package-lock.json')).length - 1} in the lock file`
      : 'no lock file';
    await progress.step(`npm packages (${count})`, async (run) => {
      const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', npm_config_update_notifier: 'false' };
      const command = hasLock ? 'ci' : 'install';
      await run('npm', [command, '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: ROOT,
        env,
        failure: `npm ${command} failed`,
      });
    });
  }
  writeStamp('npm', hash);
}

/** The CUDA and TensorRT providers beside the ONNX Runtime library, by the install script of onnxruntime-node itself. */
export async function bringGpuProviders({ progress }) {
  const cwd = join(ROOT, 'node_modules', 'onnxruntime-node');
  if (!existsSync(cwd)) throw new SetupError('onnxruntime-node is not installed: run npm ci first');
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'cuda12' };
  await progress.step('CUDA 12 and TensorRT providers of ONNX Runtime', async (run) => {
    const { status, output } = await run(process.execPath, ['./script/install'], { cwd, env, mayFail: true });
    if (status === 0) return;
    const cause = /(?:Error: .*|E[A-Z]{4,}.*)/.exec(output)?.[0] ?? output.trim().split('\n').at(-1);
    throw new SetupError(
      `the CUDA and TensorRT providers could not be downloaded (they come from NuGet): ${cause}`,
    );
  });
}

// Adopts packages that another npm command installed, so that `npm install x` is not followed by a whole `npm ci`.
function holdsLockedPackages() {
  const locks = ['package-lock.json', 'node_modules/.package-lock.json'];
  if (!locks.every((path) => existsSync(join(ROOT, path)))) return false;
  const wanted = readLock('package-lock.json');
  const present = readLock('node_modules/.package-lock.json');
  const isSame = (path) =>
    present[path]?.version === wanted[path].version && present[path]?.integrity === wanted[path].integrity;
  const hasWanted = Object.keys(wanted).every((path) => path === '' || wanted[path].optional || isSame(path));
  return (
    hasWanted &&
    Object.keys(present).every((path) => path in wanted && isSame(path) && existsSync(join(ROOT, path)))
  );
}

function readLock(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')).packages;
}
