/**
 * What is taken along: the npm package holds what its users start, import and build; the image of deploy/Dockerfile finds
 * what it copies.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '../..');

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** By npm itself, which packs nothing here. */
function packedFiles(): Set<string> {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const text = execFileSync('npm', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [packed] = JSON.parse(text) as [{ files: Array<{ path: string }> }];
  return new Set(packed.files.map(({ path }) => path));
}

/** The script and everything that it imports by a relative name, directly or not. */
function withImports(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, name = ''] of textOf(path).matchAll(/\bfrom '(\.[^']+)'/g))
    withImports(posix.join(dirname(path), name), found);
  return found;
}

/** Sources that a CMakeLists.txt names before its tests and micro benchmarks, which are built only where they are. */
function sourcesOf(list: string): string[] {
  const text = textOf(list).split(/# Micro benchmarks|if\(NOT HAS_TESTS\)/)[0] ?? '';
  const names = [...text.matchAll(/[\w/.]+\.(?:cc|h|fbs)\b/g)].map(([name]) =>
    posix.join(dirname(list), name),
  );
  return names.filter((name) => existsSync(join(ROOT, name)) && !name.startsWith('test/'));
}

const files = packedFiles();

t.test('the npm package has what is started and imported', async (t) => {
  const { bin, exports } = JSON.parse(textOf('package.json')) as { bin: object; exports: object };
  const targets = [bin, exports].flatMap((part) => JSON.stringify(part).match(/dist\/[\w./-]+/g) ?? []);
  t.ok(targets.length > 5);
  for (const path of targets) t.ok(files.has(path), path);
  t.ok(files.has('examples/digits-page/page.js'), 'the example page');
});

t.test('the npm package has what its build needs, and none of the tests', async (t) => {
  const sources = ['CMakeLists.txt', 'bench/generator/CMakeLists.txt'].flatMap(sourcesOf);
  t.ok(sources.length > 70, `${sources.length} sources`);
  for (const path of [...sources, ...withImports('scripts/setup.mjs'), 'CMakeLists.txt', 'binding.gyp'])
    t.ok(files.has(path), path);
  const strays = [...files].filter((path) =>
    /^(test|docs|bench\/(?!generator\/)|scripts\/(?!setup))/.test(path),
  );
  t.same(strays, []);
});

t.test('the image finds what it copies', async (t) => {
  const copied = [...textOf('deploy/Dockerfile').matchAll(/^COPY --from=build (.+) \S+$/gm)].flatMap(
    ([, sources = '']) => sources.split(' '),
  );
  t.ok(copied.length > 5);
  for (const path of copied) {
    if (path.startsWith('/sluice/')) t.ok(existsSync(join(ROOT, path.slice('/sluice/'.length))), path);
    else t.ok(textOf('deploy/Dockerfile').includes(`install -D -t ${path} `), `${path} is made by the build`);
  }
  const library = `node_modules/onnxruntime-node/bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`;
  t.ok(existsSync(join(ROOT, library)), library);
});
