// simdjson: header and shared library, of the machine's own release so that they fit its C++ library.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasApt, release, unpackPackages } from './apt.mjs';
import { SetupError } from './step.mjs';

export const SIMDJSON = {
  name: 'simdjson',
  variable: 'SIMDJSON_ROOT',
  expected: 'include/simdjson.h and lib/libsimdjson.so',
  keys: ['simdjsonInclude', 'simdjsonLibrary'],
  find,
  bring,
};

const LIBRARY_FOLDERS = ['lib', 'lib64', `lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`];

function find(prefixes) {
  for (const prefix of prefixes) {
    const libraries = LIBRARY_FOLDERS.map((folder) => join(prefix, folder, 'libsimdjson.so'));
    const library = libraries.find((file) => existsSync(file));
    if (library && existsSync(join(prefix, 'include/simdjson.h'))) {
      return { simdjsonInclude: join(prefix, 'include'), simdjsonLibrary: library };
    }
  }
  return undefined;
}

async function bring(target, run) {
  if (!hasApt())
    throw new SetupError('missing simdjson: install its development package, or set SIMDJSON_ROOT', 2);
  const names = ['libsimdjson-dev', /^libsimdjson\d/];
  await unpackPackages({ suite: release().codename, names, target, run });
  const found = find([join(target, 'usr')]);
  if (!found)
    throw new SetupError('the unpacked libsimdjson-dev does not hold simdjson.h and libsimdjson.so');
  return found;
}
