// The generated models that tests and examples use: written by scripts/make-models.mjs into build/models/.
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
