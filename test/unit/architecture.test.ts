/**
 * The checks of the tree see what they are there for: each kind of violation is planted in a small tree of its own and must
 * be found at its line; the same tree without it must pass.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';

const SCRIPTS = join(import.meta.dirname, '../../scripts');

type Tree = Record<string, string>;

const CLEAN: Tree = {
  'src/core/model.ts': `export interface Model { name: string }\n`,
  'src/core/errors.ts': `import type { Model } from './model.js';\nexport const of = (m: Model): string => m.name;\n`,
  'src/engine/engine.ts': `import { of } from '../core/errors.js';\nexport const path = '../build/sluice.node';\nexport { of };\n`,
  'src/metrics/table.ts': `import { Counter } from 'prom-client';\nexport { Counter };\n`,
  'src/models/store.ts': `import { of } from '../core/errors.js';\nexport { of };\n`,
  'src/serving/infer.ts': [
    `// import { x } from '../transport/http.js';`,
    `/* import '../transport/http.js'; */`,
    `export const text = "import('../transport/http.js')";`,
    'export const more = `from "../transport/http.js" ${((a) => `${a} from "../cli/main.js"`)("}")} // `;',
    `export const pattern = /from '\\/"../; export const half = 4 / 2; // '`,
    `export * from '../models/store.js';`,
  ].join('\n'),
  'src/transport/http.ts': `export const load = () => import('uWebSockets.js');\nimport '../serving/infer.js';\n`,
  'src/config.ts': `import { readFileSync } from 'node:fs';\nexport { readFileSync };\n`,
  'src/server.ts': `import './config.js';\nimport './transport/http.js';\n`,
  'src/cli/main.ts': `import '../server.js';\nimport '../client/client.js';\n`,
  'src/client/client.ts': `export const x = 1;\n`,
  'native/addon.cc': `#include "binding/calls.h"\n`,
  'native/binding/calls.h': `#include <napi.h>\n#include "engine/engine.h"\n`,
  'native/engine/engine.h': `#include "run/ort.h"\n#include "codec/json.h"\n`,
  'native/run/ort.h': `#include <onnxruntime_c_api.h>\n#include "schedule/policy.h"\n`,
  'native/codec/json.h': `#include <simdjson.h>\n#include <flatbuffers/flatbuffers.h>\n#include "memory/slab.h"\n`,
  'native/schedule/policy.h': `// #include "run/ort.h"\n/*\n#include <napi.h>\n*/\n#include "memory/slab.h"\n`,
  'native/schedule/policy.cc': `#include "schedule/policy.h"\n`,
  'native/memory/slab.h': `#include <vector>\n#include "base/status.h"\n`,
  'native/base/status.h': `#include <string>\n`,
  'bench/native/spin.cc': `#include "base/status.h"\n`,
  'test/native/all.cc': `#include "engine/engine.h"\n#include "own.h"\n`,
  'test/native/own.h': `#include <cstdio>\n`,
};

/** Gives `body` the root of a tree that lives for this call only. */
function withTree<T>(tree: Tree, body: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), 'sluice-check-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** Runs a check as people do, as a command. */
function check(script: string, tree: Tree): { exitCode: number | null; output: string } {
  return withTree(tree, (root) => {
    const args = [join(SCRIPTS, script), root];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { exitCode: status, output: stdout + stderr };
  });
}

const { checkArchitecture } = (await import(join(SCRIPTS, 'check-architecture.mjs'))) as {
  checkArchitecture: (root: string) => { found: string[]; looked: number };
};

interface Planted {
  readonly title: string;
  readonly files: Tree;
  /** What the one line that is found must hold, in this order. */
  readonly expected: string;
}

const PLANTED: readonly Planted[] = [
  {
    title: 'a TypeScript import upward',
    files: { 'src/models/up.ts': `import { x } from '../serving/infer.js';\nexport { x };\n` },
    expected: 'src/models/up.ts:1: floor: models may not use serving, which is above it',
  },
  {
    title: 'an import of a type upward, over several lines',
    files: { 'src/core/up.ts': `\nimport type {\n  X,\n} from '../engine/engine.js';\nexport type Y = X;\n` },
    expected: 'src/core/up.ts:4: floor: core may not use engine, which is above it',
  },
  {
    title: 'a dynamic import upward',
    files: { 'src/serving/up.ts': `export const x = () => import('../transport/http.js');\n` },
    expected: 'src/serving/up.ts:1: floor: serving may not use transport, which is above it',
  },
  {
    title: 'an export from above',
    files: { 'src/routing/up.ts': `export * from '../config.js';\n` },
    expected: 'src/routing/up.ts:1: floor: routing may not use config, which is above it',
  },
  {
    title: 'an import of a type by expression',
    files: { 'src/routing/up.ts': `export type C = import('../config.js').C;\n` },
    expected: 'src/routing/up.ts:1: floor: routing may not use config, which is above it',
  },
  {
    title: 'an import after a template with code in it',
    files: { 'src/routing/up.ts': 'export const a = `x${`y${1}`}`;\nimport "../config.js";\n' },
    expected: 'src/routing/up.ts:2: floor: routing may not use config, which is above it',
  },
  {
    title: 'a TypeScript import of a neighbour on the same floor',
    files: { 'src/models/beside.ts': `import { of } from '../engine/engine.js';\nexport { of };\n` },
    expected: 'src/models/beside.ts:1: floor: models may not use engine, which is beside it',
  },
  {
    title: 'an import of the server by the client',
    files: { 'src/client/server.ts': `import { of } from '../core/errors.js';\nexport { of };\n` },
    expected: 'src/client/server.ts:1: floor: client may not use core, they stand apart',
  },
  {
    title: 'an import from outside src/',
    files: { 'src/models/out.ts': `import '../../scripts/setup.mjs';\n` },
    expected: 'src/models/out.ts:1: floor: ../../scripts/setup.mjs lies outside src/',
  },
  {
    title: 'a TypeScript folder without a floor',
    files: { 'src/extra/x.ts': `export const x = 1;\n` },
    expected: 'src/extra/x.ts:1: extra has no floor',
  },
  {
    title: 'a circle of three TypeScript files, one way of it a type',
    files: {
      'src/routing/a.ts': `import { b } from './b.js';\nexport const a = b;\n`,
      'src/routing/b.ts': `import { c } from './c.js';\nexport const b = c;\n`,
      'src/routing/c.ts': `import type { a } from './a.js';\nexport const c = 1 as unknown as typeof a;\n`,
    },
    expected: 'circle: src/routing/a.ts -> src/routing/b.ts -> src/routing/c.ts -> src/routing/a.ts',
  },
  {
    title: 'uWebSockets.js outside transport/',
    files: { 'src/serving/ws.ts': `import uws from 'uWebSockets.js';\nexport { uws };\n` },
    expected: 'src/serving/ws.ts:1: door: serving may not use uWebSockets.js',
  },
  {
    title: 'prom-client outside metrics/',
    files: { 'src/transport/count.ts': `export { Counter } from 'prom-client';\n` },
    expected: 'src/transport/count.ts:1: door: transport may not use prom-client',
  },
  {
    title: 'the .node file outside engine/',
    files: { 'src/models/addon.ts': `export const x = require('../../build/Release/sluice.node');\n` },
    expected: 'src/models/addon.ts:1: door: models may not use the .node file',
  },
  {
    title: 'a C++ include upward',
    files: { 'native/memory/up.h': `#include <vector>\n#include "schedule/policy.h"\n` },
    expected: 'native/memory/up.h:2: floor: memory may not use schedule, which is above it',
  },
  {
    title: 'a C++ include upward by a relative path, in angle brackets or with spaces',
    files: { 'native/base/up.cc': `  #  include   "../memory/slab.h"\n` },
    expected: 'native/base/up.cc:1: floor: base may not use memory, which is above it',
  },
  {
    title: 'a C++ include of a neighbour on the same floor',
    files: { 'native/codec/beside.h': `#include "run/ort.h"\n` },
    expected: 'native/codec/beside.h:1: floor: codec may not use run, which is beside it',
  },
  {
    title: 'a C++ folder without a floor',
    files: { 'native/extra/x.h': `#include <vector>\n` },
    expected: 'native/extra/x.h:1: extra has no floor',
  },
  {
    title: 'napi.h outside binding/',
    files: { 'native/engine/js.cc': `#include <napi.h>\n` },
    expected: "native/engine/js.cc:1: door: engine may not use Node's headers",
  },
  {
    title: 'an ONNX Runtime header outside run/',
    files: { 'native/engine/ort.cc': `#include "onnxruntime_cxx_api.h"\n` },
    expected: "native/engine/ort.cc:1: door: engine may not use ONNX Runtime's headers",
  },
  {
    title: 'simdjson outside codec/',
    files: { 'native/run/json.cc': `#include <simdjson.h>\n` },
    expected: 'native/run/json.cc:1: door: run may not use simdjson',
  },
  {
    title: 'FlatBuffers outside codec/',
    files: { 'native/binding/frames.cc': `#include <flatbuffers/verifier.h>\n` },
    expected: 'native/binding/frames.cc:1: door: binding may not use FlatBuffers',
  },
  {
    title: 'code generated by flatc outside codec/',
    files: { 'native/engine/frames.cc': `#include "inference_generated.h"\n` },
    expected: 'native/engine/frames.cc:1: door: engine may not use FlatBuffers',
  },
  {
    title: 'a CUDA header, even where ONNX Runtime is used',
    files: { 'native/run/pinned.cc': `#include <cuda_runtime_api.h>\n` },
    expected: 'native/run/pinned.cc:1: door: run may not use CUDA, only nobody may',
  },
  {
    title: 'a circle of C++ headers',
    files: {
      'native/base/a.h': `#include "base/b.h"\n`,
      'native/base/b.h': `#include "a.h"\n`,
    },
    expected: 'circle: native/base/a -> native/base/b -> native/base/a',
  },
  {
    title: 'a circle of C++ units through their bodies',
    files: {
      'native/base/a.h': ``,
      'native/base/a.cc': `#include "base/a.h"\n#include "base/b.h"\n`,
      'native/base/b.h': ``,
      'native/base/b.cc': `#include "base/b.h"\n#include "base/a.h"\n`,
    },
    expected: 'circle: native/base/a -> native/base/b -> native/base/a',
  },
  {
    title: 'a benchmark that uses the binding',
    files: { 'bench/native/js.cc': `#include "binding/calls.h"\n` },
    expected:
      'bench/native/js.cc:1: floor: bench/ may use base, memory, schedule, codec, engine of native/, not binding',
  },
  {
    title: 'a native test that uses the binding',
    files: { 'test/native/js.cc': `#include "binding/calls.h"\n` },
    expected: 'test/native/js.cc:1: floor: test/native/ may use',
  },
];

t.test('a tree that keeps floors and doors passes', async (t) => {
  const { exitCode, output } = check('check-architecture.mjs', CLEAN);
  t.equal(exitCode, 0, output);
  t.equal(output, `architecture: ${Object.keys(CLEAN).length} files, ok\n`);
});

t.test('the command ends with 1 and names the place when something is found', async (t) => {
  const { exitCode, output } = check('check-architecture.mjs', { ...CLEAN, ...PLANTED[0]?.files });
  t.equal(exitCode, 1);
  t.equal(output, `${PLANTED[0]?.expected}\narchitecture: ${Object.keys(CLEAN).length + 1} files, 1 found\n`);
});

for (const { title, files, expected } of PLANTED) {
  t.test(`${title} is found, and nothing else`, async (t) => {
    const { found } = withTree({ ...CLEAN, ...files }, checkArchitecture);
    t.equal(found.length, 1);
    t.ok(found[0]?.includes(expected), found.join('\n'));
  });
}

t.test(
  'sizes: the longest file passes, one line more is found; tests may be longer; generated files do not count',
  async (t) => {
    const lines = (count: number) => '\n'.repeat(count);
    const fit = {
      'src/a.ts': lines(400),
      'test/unit/a.test.ts': lines(500),
      'src/codec/generated/a.ts': lines(9000),
    };
    t.equal(check('check-sizes.mjs', fit).exitCode, 0);
    const long = check('check-sizes.mjs', { 'src/a.ts': lines(401), 'test/unit/a.test.ts': lines(501) });
    t.equal(long.exitCode, 1);
    t.match(long.output, 'src/a.ts: size: expected at most 400 lines, got 401');
    t.match(long.output, 'test/unit/a.test.ts: size: expected at most 500 lines, got 501');
  },
);

t.test('names that say nothing are found as file and as folder', async (t) => {
  const { exitCode, output } = check('check-sizes.mjs', {
    'src/core/string-utils.ts': '',
    'native/common/a.h': '',
  });
  t.equal(exitCode, 1);
  t.match(output, 'src/core/string-utils.ts: name: "utils"');
  t.match(output, 'native/common/a.h: name: "common"');
});

t.test('text: what belongs to a machine, and untidy line ends, are found', async (t) => {
  const home = ['', 'home', 'ann', 'sluice'].join('/');
  const host = ['registry', 'npmjs', 'org'].join('.');
  const below = ['${root}', 'work', 'x'].join('/');
  const clean = { 'docs/a.md': `GET /v2/models/home/ready, \`${below}\`, https://example.com/root/\n` };
  t.equal(check('check-text.mjs', clean).exitCode, 0, check('check-text.mjs', clean).output);
  const untidy = {
    'docs/a.md': `see ${home}\n`,
    'docs/b.md': `from https://${host}/\n`,
    'docs/c.md': 'space \n',
    'docs/d.md': 'return\r\n',
    'docs/e.md': 'no end',
  };
  const { exitCode, output } = check('check-text.mjs', untidy);
  t.equal(exitCode, 1);
  t.same(
    output.split('\n').flatMap((line) => /^docs\/(.)\.md/.exec(line)?.[1] ?? []),
    ['a', 'b', 'c', 'd', 'e'],
  );
});
