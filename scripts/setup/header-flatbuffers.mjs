// FlatBuffers: the C++ headers and the flatc of the same release, because generated code insists on its headers' version.
import { chmodSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasApt, release, unpackPackages } from './apt.mjs';
import { SetupError } from './step.mjs';
import { filesBelow, writeWhole } from './stamp.mjs';

export const FLATBUFFERS = {
  name: 'flatbuffers',
  variable: 'FLATBUFFERS_ROOT',
  expected: 'include/flatbuffers/flatbuffers.h and bin/flatc',
  keys: ['flatbuffersInclude', 'flatc'],
  find,
  bring,
};

function find(prefixes) {
  for (const prefix of prefixes) {
    const wrapper = join(prefix, 'flatc.sh');
    const flatc = existsSync(wrapper) ? wrapper : join(prefix, 'bin/flatc');
    if (existsSync(flatc) && existsSync(join(prefix, 'include/flatbuffers/flatbuffers.h'))) {
      return { flatbuffersInclude: join(prefix, 'include'), flatc };
    }
  }
  return undefined;
}

async function bring(target, run) {
  if (!hasApt())
    throw new SetupError(
      'missing FlatBuffers: install its development package with flatc, or set FLATBUFFERS_ROOT',
      2,
    );
  const names = ['flatbuffers-compiler', 'libflatbuffers-dev', /^libflatbuffers\d/];
  await unpackPackages({ suite: release().codename, names, target, run });
  wrapFlatc(join(target, 'usr'));
  const found = find([join(target, 'usr')]);
  if (!found) throw new SetupError('the unpacked libflatbuffers-dev does not hold flatbuffers.h and flatc');
  return found;
}

// An unpacked flatc does not find its library by itself.
function wrapFlatc(prefix) {
  const library = filesBelow(join(prefix, 'lib')).find((file) => /libflatbuffers\.so/.test(file));
  if (!library) return;
  const wrapper = join(prefix, 'flatc.sh');
  writeWhole(
    wrapper,
    `#!/bin/sh\nLD_LIBRARY_PATH="${dirname(library)}" exec "${join(prefix, 'bin/flatc')}" "$@"\n`,
  );
  chmodSync(wrapper, 0o755);
}
