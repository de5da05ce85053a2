// The native build: CMake driven by cmake-js, into build/. Configured again only when its arguments change; CMake itself
// notices changes of CMakeLists.txt. One build for the addon and the native tests.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { HEADER_VARIABLES } from './headers.mjs';
import { SetupError } from './step.mjs';
import { dropStamp, hashOf, isFresh, readStamp, ROOT, writeStamp } from './stamp.mjs';
import { otherCompiler } from './toolchain.mjs';

const INPUTS = [
  'CMakeLists.txt',
  'native',
  'schemas/inference.fbs',
  'test/native',
  'test/fuzz',
  'bench/generator',
];
const OUTPUTS = ['build/Release/sluice.node', 'build/Release/sluice-load'];

/** Another compiler or other headers make another build. */
const VARIABLES = ['CXX', ...HEADER_VARIABLES];

// The heaviest sources take about this much memory in the compiler.
const BYTES_PER_COMPILER = 1.2e9;

const VARIABLE_OF = {
  onnxruntimeInclude: 'SLUICE_ONNXRUNTIME_INCLUDE',
  simdjsonInclude: 'SLUICE_SIMDJSON_INCLUDE',
  simdjsonLibrary: 'SLUICE_SIMDJSON_LIBRARY',
  flatbuffersInclude: 'SLUICE_FLATBUFFERS_INCLUDE',
  flatc: 'SLUICE_FLATC',
};

/** True when the native build has nothing to do, whatever tools the machine has. */
export function isNativeFresh() {
  return isFresh('native', inputHash(), OUTPUTS);
}

/** Arguments for cmake-js that say where the headers are. */
export function cmakeDefinitions(paths) {
  return Object.entries(VARIABLE_OF).map(([key, variable]) => `--CD${variable}=${paths[key]}`);
}

export async function buildNative({ progress, paths }) {
  if (!existsSync(join(ROOT, 'CMakeLists.txt')))
    throw new SetupError('CMakeLists.txt is missing from the tree');
  const hash = inputHash();
  dropStamp('native');
  const common = ['--out', 'build', '--config', 'Release', '--log-level', 'warn', ...cmakeDefinitions(paths)];
  const configured = hashOf({ texts: [...common, process.env.CXX ?? ''] });
  const compiler = otherCompiler();
  const env = compiler === undefined ? process.env : { ...process.env, CXX: compiler };
  await progress.step('native build', async (run) => {
    const cmakeJs = (command, more, failure) =>
      run(join(ROOT, 'node_modules/.bin/cmake-js'), [command, ...common, ...more], {
        ...{ cwd: ROOT, env, failure },
      });
    if (readStamp('native-configure') !== configured || !isConfiguredHere()) {
      rmSync(join(ROOT, 'build/CMakeCache.txt'), { force: true });
      rmSync(join(ROOT, 'build/CMakeFiles'), { recursive: true, force: true });
      await cmakeJs('configure', [], 'CMake could not configure the native build');
      writeStamp('native-configure', configured);
    }
    await cmakeJs('build', ['--parallel', String(compilers())], 'the native build failed');
  });
  writeStamp('native', hash);
}

// The lock file's hash stands for the versions of node-addon-api and node-api-headers.
function inputHash() {
  const texts = [process.arch, ...VARIABLES.map((name) => process.env[name] ?? '')];
  return hashOf({ texts, paths: [...INPUTS, 'package-lock.json'] });
}

// A tree that was moved or copied holds a cache of another folder, which CMake refuses.
function isConfiguredHere() {
  const cache = join(ROOT, 'build/CMakeCache.txt');
  return existsSync(cache) && readFileSync(cache, 'utf8').includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${ROOT}\n`);
}

function compilers() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / BYTES_PER_COMPILER)));
}
