// ONNX Runtime's headers: ONNXRUNTIME_ROOT, the system package, Debian's newer suite, the official release archive.
// Only headers are taken; the library is opened at run time, whatever its release.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasApt, release, unpackPackages } from './apt.mjs';
import { SetupError } from './step.mjs';

const LOWEST_API = 21;

// Debian suites whose libonnxruntime-dev is new enough; a header does not depend on the suite's C library.
const NEWER_SUITES = ['trixie'];

// The release archive is checked by the header inside it, which is all that is used of it.
const RELEASE = '1.21.0';
const RELEASE_HEADER_SHA256 = '7783e9664bdb0b1b36145b5c8587dd1bc9a399aa000edf2e3dd03003cafc6882';

export const ONNXRUNTIME = {
  name: 'onnxruntime',
  variable: 'ONNXRUNTIME_ROOT',
  expected: `onnxruntime_c_api.h with API ${LOWEST_API} or newer`,
  keys: ['onnxruntimeInclude'],
  find,
  bring,
};

function find(prefixes) {
  for (const prefix of prefixes) {
    for (const below of ['include', 'include/onnxruntime', 'include/onnxruntime/core/session', '.']) {
      const folder = join(prefix, below);
      if (apiOf(folder) >= LOWEST_API) return { onnxruntimeInclude: folder };
    }
  }
  return undefined;
}

function apiOf(folder) {
  const header = join(folder, 'onnxruntime_c_api.h');
  if (!existsSync(header)) return 0;
  return Number(/#define ORT_API_VERSION (\d+)/.exec(readFileSync(header, 'utf8'))?.[1] ?? 0);
}

async function bring(target, run) {
  const attempts = [
    ...suites().map((suite) => () => unpackPackages({ suite, names: ['libonnxruntime-dev'], target, run })),
    () => downloadRelease(target, run),
  ];
  const causes = [];
  for (const attempt of attempts) {
    try {
      await attempt();
      const found = find([join(target, 'usr'), target]);
      if (found) return found;
      causes.push(`headers older than API ${LOWEST_API}`);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      causes.push(error.message.trim());
    }
    rmSync(target, { recursive: true, force: true });
  }
  const mend = 'unpack an ONNX Runtime release (1.21 or newer) and set ONNXRUNTIME_ROOT to its folder';
  throw new SetupError(
    `no ONNX Runtime headers: ${mend}\n${causes.map((cause) => `  tried: ${cause}`).join('\n')}`,
    2,
  );
}

function suites() {
  if (!hasApt()) return [];
  const { id, codename } = release();
  return id === 'debian' ? [...new Set([...NEWER_SUITES, codename])] : [codename];
}

async function downloadRelease(target, run) {
  const name = `onnxruntime-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}-${RELEASE}`;
  const url = `https://github.com/microsoft/onnxruntime/releases/download/v${RELEASE}/${name}.tgz`;
  const archive = join(target, 'release.tgz');
  mkdirSync(join(target, 'include'), { recursive: true });
  await run('curl', ['-fsSL', '--connect-timeout', '10', '--retry', '2', '-o', archive, url], {
    failure: `cannot download ${url}`,
  });
  const args = [
    '-xzf',
    archive,
    '-C',
    join(target, 'include'),
    '--strip-components=2',
    `${name}/include/onnxruntime_c_api.h`,
  ];
  await run('tar', args, { failure: `cannot unpack ${name}.tgz` });
  rmSync(archive);
  const sha256 = createHash('sha256')
    .update(readFileSync(join(target, 'include/onnxruntime_c_api.h')))
    .digest('hex');
  if (sha256 !== RELEASE_HEADER_SHA256) {
    throw new SetupError(`${url}: expected a header with sha256 ${RELEASE_HEADER_SHA256}, got ${sha256}`);
  }
}
