#!/usr/bin/env node
// `npm test`: sets up, then checks, native tests and tap tests; the last line is `N passed, N failed`.
// Usage: npm test [-- [--no-setup] [group or test file ...]]    groups: checks native unit contract e2e lifetime
// The group browser runs only when named.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { runMain, setUp } from './setup/all.mjs';
import { filesBelow, ROOT } from './setup/stamp.mjs';
import { runNative } from './test/native.mjs';
import { runTap } from './test/tap.mjs';

const ALWAYS = ['checks', 'native', 'unit', 'contract', 'e2e', 'lifetime'];
const WHEN_NAMED = ['browser'];

const given = process.argv.slice(2);
const names = given.filter((name) => name !== '--no-setup');
const unknown = names.find(
  (name) => ![...ALWAYS, ...WHEN_NAMED].includes(name) && !existsSync(join(ROOT, name)),
);
if (unknown) {
  process.stderr.write(
    `test: expected ${[...ALWAYS, ...WHEN_NAMED].join(', ')} or a test file, got ${unknown}\n`,
  );
  process.exit(2);
}

const beganMs = performance.now();
if (!given.includes('--no-setup')) await runMain(() => setUp());

const groups = names.length === 0 ? ALWAYS : names;
const sum = { passed: 0, failed: 0, skipped: 0 };
const add = (counts) => Object.keys(sum).forEach((key) => (sum[key] += counts[key] ?? 0));

if (groups.includes('checks')) add(await runChecks());
if (groups.includes('native')) add(runNative());
const files = groups.flatMap((group) => tapFiles(group));
if (files.length > 0) add(await runTap(files));

const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
if (sum.skipped > 0) process.stdout.write(`${sum.skipped} skipped\n`);
if (sum.passed + sum.failed === 0) process.stdout.write('test: no test ran\n');
process.stdout.write(
  `test: ${groups.join(', ')} in ${seconds} s\n${sum.passed} passed, ${sum.failed} failed\n`,
);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

function tapFiles(group) {
  if (group === 'checks' || group === 'native') return [];
  const isGroup = ALWAYS.includes(group) || WHEN_NAMED.includes(group);
  const found = filesBelow(join(ROOT, isGroup ? join('test', group) : group));
  return found.filter((file) => file.endsWith('.test.ts')).map((file) => file.slice(ROOT.length + 1));
}
