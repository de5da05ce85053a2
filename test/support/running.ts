/**
 * A whole server over the generated models, on free ports, for tests from end to end. The repository is made of links to
 * the models a test names, so that a server loads no more than it needs.
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Test } from 'tap';
import { readSettings } from '../../src/config.js';
import { startServer, type RunningServer } from '../../src/server.js';

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

/** Starts a server that stops with the test. */
export async function startTestServer(
  t: Test,
  repository: string,
  flags: Record<string, unknown> = {},
): Promise<{ server: RunningServer; lines: LogLine[] }> {
  const lines: LogLine[] = [];
  const writer = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  const log = { info: writer('info'), warn: writer('warn'), error: writer('error') };
  const settings = readSettings({ repository, port: 0, adminPort: 0, ...flags }, {});
  const server = await startServer(settings, log);
  t.teardown(() => server.stop());
  return { server, lines };
}
