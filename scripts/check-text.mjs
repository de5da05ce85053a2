#!/usr/bin/env node
// What no text of the tree may hold: paths of somebody's machine, hosts of package registries (a mirror is a matter of the
// machine's settings), trailing white space, carriage returns, a missing last newline.
// Usage: node scripts/check-text.mjs [root]
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isGenerated, listFiles, reportAndExit } from './check/files.mjs';

// Files that are not text even where they hold no zero byte.
const NOT_TEXT = /\.(onnx|png|jpg|gif|ico|bin|npy|npz|gz|tgz|woff2?)$/;
const MOST_BYTES = 4_000_000;
const RULES = [
  { what: "a path of somebody's machine", pattern: /(?<![\w.~$}/])\/(work|home|root|Users)\/[\w.-]/ },
  { what: "a path of somebody's machine", pattern: /\b[A-Z]:\\Users\\/ },
  {
    what: 'the host of a package registry',
    pattern:
      /registry\.(npmjs|yarnpkg)\.|(deb|security|snapshot)\.debian\.org|archive\.ubuntu\.com|\bpypi\.org|pythonhosted\.|crates\.io\/|proxy\.golang\.|repo1?\.maven\.|\bnuget\.org|\.pkg\.dev\b/,
  },
  { what: 'a "resolved" address in the lock file', pattern: /^\s*"resolved":/ },
  { what: 'trailing white space', pattern: /[ \t]+$/, isLayout: true },
  { what: 'a carriage return', pattern: /\r/, isLayout: true },
];

const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
const found = [];
let looked = 0;

for (const path of listFiles(root).filter((name) => !NOT_TEXT.test(name))) {
  const bytes = readFileSync(join(root, path));
  if (bytes.length > MOST_BYTES || bytes.includes(0)) continue;
  looked += 1;
  const text = bytes.toString('utf8');
  const rules = RULES.filter(({ isLayout }) => !(isLayout && isGenerated(path)));
  text.split('\n').forEach((line, index) => {
    for (const { what, pattern } of rules) {
      if (pattern.test(line)) found.push(`${path}:${index + 1}: text: ${what}`);
    }
  });
  if (text !== '' && !text.endsWith('\n') && !isGenerated(path))
    found.push(`${path}: text: no newline at the end`);
}
reportAndExit('text', { found, looked });
