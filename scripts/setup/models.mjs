// The generated models that tests and examples use: written by scripts/make-models.mjs into build/models/.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, isFresh, ROOT, writeStamp } from './stamp.mjs';

const MAKER = 'scripts/make-models.mjs';
const INPUTS = [MAKER, 'scripts/models'];

export async function makeModels({ progress }) {
  if (!existsSync(join(ROOT, MAKER))) return;
  const hash = hashOf({ paths: INPUTS });
  if (isFresh('models', hash, ['build/models'])) return;
  await progress.step('test models', (run) =>
    run(process.execPath, [MAKER, '--quick'], { cwd: ROOT, failure: 'the test models could not be made' }),
  );
  writeStamp('models', hash);
}

/** For scripts that are no tests: makes what is missing of the models, and answers where they lie. */
export function testModels() {
  execFileSync(process.execPath, [MAKER, '--quick'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(ROOT, 'build/models');
}
