#!/usr/bin/env node
// Files stay small enough to hold in the head, and have names that say something.
// Usage: node scripts/check-sizes.mjs [root]
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isGenerated, listFiles, reportAndExit } from './check/files.mjs';

const MOST_LINES = 400;
const MOST_LINES_IN_TESTS = 500;
const SOURCE = /\.(ts|mts|mjs|js|cc|h|cu|cuh|fbs|proto|py|sh|cmake)$|(^|\/)(CMakeLists\.txt|run)$/;
const EMPTY_NAMES = new Set(['util', 'utils', 'utility', 'utilities', 'common', 'helper', 'helpers', 'misc']);

const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
const files = listFiles(root).filter((path) => SOURCE.test(path) && !isGenerated(path));
const found = [];

for (const path of files) {
  const most = path.startsWith('test/') ? MOST_LINES_IN_TESTS : MOST_LINES;
  const lines = readFileSync(join(root, path), 'utf8').split('\n').length - 1;
  if (lines > most) found.push(`${path}: size: expected at most ${most} lines, got ${lines}`);
  const empty = path.split(/[/_.-]/).find((word) => EMPTY_NAMES.has(word.toLowerCase()));
  if (empty) found.push(`${path}: name: "${empty}" says nothing about what is inside`);
}
reportAndExit('sizes', { found, looked: files.length });
