// The whole set-up, in order. Used by scripts/setup.mjs, start.mjs and test.mjs; safe to call at any time, by several at once.
import { takeLock } from './lock.mjs';
import { makeModels } from './models.mjs';
import { buildNative, isNativeFresh } from './native.mjs';
import { bringHeaders } from './headers.mjs';
import { bringGpuProviders, bringPackages } from './npm.mjs';
import { Progress, SetupError, stopChildren } from './step.mjs';
import { checkNode, checkTools } from './toolchain.mjs';
import { buildTypeScript } from './typescript.mjs';

const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 };

/**
 * Brings the tree from whatever state it is in to a built one. `buildOnly` leaves out the test models; `mayInstallTools`
 * lets root install missing tools by apt-get; `withGpu` brings the CUDA and TensorRT providers too.
 */
export async function setUp({
  buildOnly = false,
  verbose = false,
  withGpu = false,
  mayInstallTools = mayInstallByEnvironment(),
} = {}) {
  const progress = new Progress({ verbose });
  checkNode();
  const release = await takeLock({ say: (text) => progress.stream.write(`${text}\n`) });
  const stops = Object.entries(STOP_SIGNALS).map(([signal, exitCode]) => [
    signal,
    () => stop(signal, exitCode),
  ]);
  for (const [signal, listener] of stops) process.once(signal, listener);
  try {
    const isStale = !isNativeFresh();
    // A built tree needs no compiler, so the tools are looked at only when they are about to be used.
    if (isStale && !buildOnly) await checkTools({ progress, mayInstall: mayInstallTools });
    await bringPackages({ progress });
    if (isStale) await buildNative({ progress, paths: await bringHeaders({ progress }) });
    await buildTypeScript({ progress });
    if (!buildOnly) await makeModels({ progress });
    if (withGpu) await bringGpuProviders({ progress });
    progress.finish();
  } finally {
    for (const [signal, listener] of stops) process.off(signal, listener);
    release();
  }
}

/** Whether the environment lets the set-up install missing tools. */
export function mayInstallByEnvironment(env = process.env) {
  return env.CI === 'true' || env.SLUICE_SETUP_INSTALL === '1';
}

/** Runs `body`; a failure that a person can mend is shown as its message alone. */
export async function runMain(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`setup: ${error.message}\n`);
    process.exit(error.exitCode);
  }
}

function stop(signal, exitCode) {
  stopChildren(signal);
  process.stderr.write(`\nsetup: stopped by ${signal}\n`);
  process.exit(exitCode);
}
