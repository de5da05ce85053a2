#!/usr/bin/env node
// The checks of the tree, one line each: architecture, schema, sizes, text, types of the tests, eslint, prettier, clang-format.
// Usage: node scripts/check.mjs [--fix] [name ...]     --fix lets eslint, prettier and clang-format mend what they can.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isGenerated, listFiles } from './check/files.mjs';
import { ROOT } from './setup/stamp.mjs';

const AT_ONCE = 2;
const MOST_LINES_SHOWN = 60;
const node = process.execPath;
const tool = (name) => join(ROOT, 'node_modules', '.bin', name);

// The slowest first, so that two at a time end soonest.
const CHECKS = [
  {
    name: 'eslint',
    command: ({ mayFix }) => [
      tool('eslint'),
      '--max-warnings',
      '0',
      ...(mayFix ? ['--fix'] : []),
      ...typeScriptFolders(),
    ],
  },
  {
    name: 'test-types',
    command: () =>
      existsSync(join(ROOT, 'test/tsconfig.json')) ? [tool('tsc'), '-p', 'test', '--noEmit'] : undefined,
  },
  {
    name: 'prettier',
    command: ({ mayFix }) => [tool('prettier'), '--log-level', 'warn', mayFix ? '--write' : '--check', '.'],
  },
  { name: 'clang-format', command: clangFormat },
  { name: 'architecture', command: () => [node, 'scripts/check-architecture.mjs'] },
  { name: 'schema', command: () => [node, 'scripts/schema.mjs', '--check'] },
  { name: 'sizes', command: () => [node, 'scripts/check-sizes.mjs'] },
  { name: 'text', command: () => [node, 'scripts/check-text.mjs'] },
];

/** Runs the checks (all, or the named ones); resolves to { passed, failed }. */
export async function runChecks({ names = [], mayFix = false } = {}) {
  const unknown = names.find((name) => !CHECKS.some((check) => check.name === name));
  if (unknown)
    throw new Error(`no check is called ${unknown}; there are ${CHECKS.map(({ name }) => name).join(', ')}`);
  const waiting = CHECKS.filter(({ name }) => names.length === 0 || names.includes(name));
  const counts = { passed: 0, failed: 0 };
  const work = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) await runOne(check, { mayFix, counts });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return counts;
}

async function runOne({ name, command }, { mayFix, counts }) {
  const [file, ...args] = command({ mayFix }) ?? [];
  if (file === undefined) return;
  const beganMs = performance.now();
  const { exitCode, output } = await capture(file, args);
  const isGood = exitCode === 0;
  counts[isGood ? 'passed' : 'failed'] += 1;
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  process.stdout.write(
    `check: ${name} ${isGood ? 'ok' : 'FAILED'}, ${seconds} s\n${isGood ? '' : shorten(output)}`,
  );
}

function capture(file, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
    const child = spawn(file, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) =>
      resolve({ exitCode: 1, output: `${file}: ${error.message} (node scripts/setup.mjs brings it)` }),
    );
    child.on('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks).toString() }));
  });
}

function typeScriptFolders() {
  return ['src', 'test', 'bench'].filter((folder) =>
    listFiles(ROOT, folder).some((path) => /\.ts$/.test(path)),
  );
}

function clangFormat({ mayFix }) {
  const sources = ['native', 'test/native', 'test/fuzz', 'bench'].flatMap((folder) =>
    listFiles(ROOT, folder),
  );
  const files = sources.filter((path) => /\.(cc|h|cu|cuh)$/.test(path) && !isGenerated(path));
  if (files.length === 0) return undefined;
  const binary = `node_modules/clang-format-node/bin/cfn-${process.platform}-${process.arch}/clang-format`;
  return [join(ROOT, binary), ...(mayFix ? ['-i'] : ['--dry-run', '-Werror']), ...files];
}

function shorten(text) {
  const lines = text.trimEnd().split('\n');
  const shown = lines.slice(0, MOST_LINES_SHOWN);
  if (lines.length > shown.length) shown.push(`... and ${lines.length - shown.length} lines more`);
  return shown.map((line) => `  ${line}\n`).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { fix: { type: 'boolean' } },
    allowPositionals: true,
  });
  const { failed } = await runChecks({ names: positionals, mayFix: values.fix });
  process.exitCode = failed === 0 ? 0 : 1;
}
