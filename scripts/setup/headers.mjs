// The headers that the native build needs: ONNX Runtime (never linked), simdjson, FlatBuffers with its flatc.
// Each comes from an environment variable, else the system, else packages unpacked below .cache/native/ (no root needed).
// The places found are kept in .cache/native/paths.json.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLATBUFFERS } from './header-flatbuffers.mjs';
import { ONNXRUNTIME } from './header-onnxruntime.mjs';
import { SIMDJSON } from './header-simdjson.mjs';
import { SetupError } from './step.mjs';
import { CACHE, writeWhole } from './stamp.mjs';

const PARTS = [ONNXRUNTIME, SIMDJSON, FLATBUFFERS];
/** Each names a folder to take a part from. */
export const HEADER_VARIABLES = PARTS.map(({ variable }) => variable);
const NATIVE = join(CACHE, 'native');
const PATHS = join(NATIVE, 'paths.json');

/** Brings what is missing; returns the paths for CMake by the names of the parts' keys. */
export async function bringHeaders({ progress }) {
  const roots = Object.fromEntries(PARTS.map(({ variable }) => [variable, process.env[variable] ?? '']));
  const known = readPaths();
  if (known && JSON.stringify(known.roots) === JSON.stringify(roots) && hasAll(known.paths))
    return known.paths;
  const paths = {};
  for (const { name, variable, expected, find, bring } of PARTS) {
    const own = roots[variable];
    const target = join(NATIVE, name);
    const found = own ? find([own]) : find(['/usr', '/usr/local', join(target, 'usr'), target]);
    if (own && !found) throw new SetupError(`${variable}: expected ${expected} below ${own}`, 2);
    if (found) Object.assign(paths, found);
    else
      await progress.step(`native headers: ${name}`, async (run) =>
        Object.assign(paths, await bring(target, run)),
      );
  }
  writeWhole(PATHS, `${JSON.stringify({ roots, paths }, null, 2)}\n`);
  return paths;
}

function readPaths() {
  try {
    return JSON.parse(readFileSync(PATHS, 'utf8'));
  } catch {
    return undefined;
  }
}

function hasAll(paths) {
  return PARTS.every(({ keys }) => keys.every((key) => paths[key] && existsSync(paths[key])));
}
