// What must be on the machine before anything can be built: Node, a C++20 compiler, a build tool, CMake.
// Says in one line what is missing and the command that mends it; installs it only when asked to.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { SetupError } from './step.mjs';

const NODE_LOWEST = [20, 17];
const CMAKE_LOWEST = [3, 20];
const COMPILERS = [
  { command: 'g++', lowest: [12] },
  { command: 'clang++', lowest: [15] },
];

export function checkNode(version = process.versions.node) {
  if (!isAtLeast(parseVersion(version), NODE_LOWEST)) {
    throw new SetupError(
      `Node ${NODE_LOWEST.join('.')} or newer is needed, this is ${version}: install Node 20, 22 or newer`,
      2,
    );
  }
}

/** The tools that are missing or too old: what is needed and the Debian package that brings it. */
export function missingTools(versionOf = askVersion) {
  const missing = [];
  const custom = process.env.CXX;
  const hasCompiler = custom
    ? versionOf(custom) !== undefined
    : COMPILERS.some(({ command, lowest }) => isAtLeast(versionOf(command), lowest));
  if (!hasCompiler)
    missing.push({
      what: custom ? `the compiler of CXX (${custom})` : 'g++ >= 12 (or clang++ >= 15)',
      pkg: 'g++',
    });
  if (!versionOf('make') && !versionOf('ninja')) missing.push({ what: 'make (or ninja)', pkg: 'make' });
  if (!isAtLeast(versionOf('cmake'), CMAKE_LOWEST)) missing.push({ what: 'cmake >= 3.20', pkg: 'cmake' });
  return missing;
}

/** The compiler to name to CMake where the one that it would take is too old or missing; undefined where it would do. */
export function otherCompiler(versionOf = askVersion) {
  const fits = COMPILERS.filter(({ command, lowest }) => isAtLeast(versionOf(command), lowest));
  return process.env.CXX || fits[0]?.command === 'g++' ? undefined : fits[0]?.command;
}

/** Checks the tools; with `mayInstall`, as root on a machine with apt, installs what is missing. */
export async function checkTools({ progress, mayInstall }) {
  const missing = missingTools();
  if (missing.length === 0) return;
  const names = missing.map(({ what }) => what).join(', ');
  const packages = missing.map(({ pkg }) => pkg);
  const isRoot = process.getuid?.() === 0;
  const hasApt = existsSync('/usr/bin/apt-get');
  if (mayInstall && isRoot && hasApt) {
    await progress.step(`installing ${packages.join(', ')}`, async (run) => {
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      await run('apt-get', ['update', '-q'], { env, failure: 'apt-get update failed' });
      const args = ['install', '-y', '-q', '--no-install-recommends', ...packages];
      await run('apt-get', args, { env, failure: `apt-get could not install ${packages.join(', ')}` });
    });
    if (missingTools().length === 0) return;
  }
  throw new SetupError(`missing ${names}: ${mendCommand(packages, { isRoot, hasApt })}`, 2);
}

export function mendCommand(packages, { isRoot, hasApt }) {
  const list = packages.join(' ');
  if (!hasApt) return `install ${list} with this system's package manager`;
  const sudo = isRoot ? '' : 'sudo ';
  return `run: ${sudo}apt-get update && ${sudo}apt-get install -y ${list}`;
}

function askVersion(command) {
  const { status, stdout, stderr } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? parseVersion(stdout || stderr) : undefined;
}

function parseVersion(text) {
  return (/\d+(?:\.\d+)+/.exec(text.split('\n')[0] ?? '')?.[0] ?? '0').split('.').map(Number);
}

function isAtLeast(version, lowest) {
  if (version === undefined) return false;
  for (let index = 0; index < lowest.length; index++) {
    const part = version[index] ?? 0;
    if (part !== lowest[index]) return part > lowest[index];
  }
  return true;
}
