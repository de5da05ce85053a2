// The TypeScript build: tsc into dist/, and the browser's client in one file. Outputs whose source is gone are removed, so that nothing runs what no longer exists.
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundleClient, CLIENT_BUNDLE } from './client-bundle.mjs';
import { dropStamp, filesBelow, hashOf, isFresh, ROOT, writeStamp } from './stamp.mjs';

const INPUTS = [
  'src',
  'tsconfig.json',
  'package.json',
  'package-lock.json',
  'scripts/setup/client-bundle.mjs',
];
const MAIN = 'dist/cli/main.js';

export async function buildTypeScript({ progress }) {
  // The npm package brings dist/ and no sources.
  if (!existsSync(join(ROOT, 'src'))) return;
  const hash = hashOf({ paths: INPUTS });
  if (isFresh('typescript', hash, existsSync(join(ROOT, 'src/cli/main.ts')) ? [MAIN, CLIENT_BUNDLE] : []))
    return;
  dropStamp('typescript');
  await progress.step('TypeScript build', async (run) => {
    removeOrphans();
    await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], {
      cwd: ROOT,
      failure: 'TypeScript found errors',
    });
    await bundleClient();
  });
  if (existsSync(join(ROOT, MAIN))) chmodSync(join(ROOT, MAIN), 0o755);
  writeStamp('typescript', hash);
}

function removeOrphans() {
  const dist = join(ROOT, 'dist');
  for (const file of filesBelow(dist)) {
    const source = file.slice(dist.length).replace(/(?:\.d\.ts|\.js)(?:\.map)?$/, '.ts');
    if (!existsSync(join(ROOT, 'src', source))) rmSync(file);
  }
}
