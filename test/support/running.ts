/**
 * A whole server over the generated models, on free ports, for tests from end to end. The repository is made of links to
 * the models a test names, so that a server loads no more than it needs.
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Test } from 'tap';
import { readSettings } from '../../src/config.js';
import { createEngine } from '../../src/engine/addon-engine.js';
import { startServer, type RunningServer, type ServerParts } from '../../src/server.js';
import { ADDONS } from './package.js';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));

/** A repository inside the test's own folder with links to generated models. */
export function linkedRepository(t: Test, names: readonly string[]): string {
  const repository = join(t.testdir({}), 'models');
  mkdirSync(repository);
  for (const name of names) {
    if (!existsSync(join(MODELS, name))) {
      throw new Error(`expected build/models/${name}: run "node scripts/make-models.mjs" first`);
    }
    symlinkSync(join(MODELS, name), join(repository, name));
  }
  return repository;
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

/**
 * A server whose runs misbehave when a row asks for it: the first element of the first FP32 input names the fault, the
 * second its argument (see test/native/faulty/faulty_runner.h).
 */
export const FAULTS = {
  throw: -1001,
  fail: -1002,
  outOfMemory: -1003,
  slow: -1004,
  wrongRows: -1005,
  nan: -1006,
  garbledRank: -1007,
} as const;

function partsOver(addon: string): ServerParts {
  return {
    createEngine: ({ workers, workerCpus, inlineBudgetUs }) =>
      createEngine({ addonPath: join(ADDONS, addon), workers, workerCpus, inlineBudgetUs }),
  };
}

/** Over the addon of the package under test, as every server of a test should be. */
export const PARTS = partsOver('sluice.node');

export const FAULTY_PARTS = partsOver('sluice_faulty.node');

/** Starts a server that stops with the test. */
export async function startTestServer(
  t: Test,
  repository: string,
  flags: Record<string, unknown> = {},
  parts: ServerParts = PARTS,
): Promise<{ server: RunningServer; lines: LogLine[] }> {
  const lines: LogLine[] = [];
  const writer = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  const log = { info: writer('info'), warn: writer('warn'), error: writer('error') };
  const settings = readSettings({ repository, port: 0, adminPort: 0, ...flags }, {});
  const server = await startServer(settings, log, parts);
  t.teardown(() => server.stop());
  return { server, lines };
}
