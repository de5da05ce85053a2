#!/usr/bin/env node
// Generates src/wire/generated/ from schemas/inference.fbs with the flatc that the set-up knows.
// Usage: npm run schema [-- --check]     --check only compares: the schema's hash always, every file where the flatc at hand
// is the release that generated them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { filesBelow, ROOT } from './setup/stamp.mjs';

const SCHEMA = 'schemas/inference.fbs';
const GENERATED = join(ROOT, 'src/wire/generated');
const STAMP = join(GENERATED, 'made-from.json');

const isCheck = process.argv.includes('--check');
const flatc = findFlatc();
const stamp = { schema: createHash('sha256').update(schemaText()).digest('hex'), flatc: flatcVersion() };
const problems = isCheck ? check() : write();
for (const problem of problems) process.stdout.write(`${problem}; run: npm run schema\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function write() {
  if (flatc === undefined) return ['schema: no flatc was found: run npm run setup first'];
  rmSync(GENERATED, { recursive: true, force: true });
  mkdirSync(GENERATED, { recursive: true });
  for (const [name, text] of generated()) writeFileSync(join(GENERATED, name), text);
  writeFileSync(STAMP, `${JSON.stringify(stamp, null, 2)}\n`);
  return [];
}

function check() {
  const made = existsSync(STAMP) ? JSON.parse(readFileSync(STAMP, 'utf8')) : {};
  if (made.schema !== stamp.schema) return [`${SCHEMA} has changed since src/wire/generated/ was made`];
  if (flatc === undefined || made.flatc !== stamp.flatc) return [];
  const fresh = generated();
  const old = filesBelow(GENERATED).filter((file) => file !== STAMP);
  const differing = [...fresh].filter(([name, text]) => {
    const file = join(GENERATED, name);
    return !existsSync(file) || readFileSync(file, 'utf8') !== text;
  });
  const extra = old.filter((file) => !fresh.has(basename(file)));
  return [...differing.map(([name]) => name), ...extra.map((file) => basename(file))].map(
    (name) => `src/wire/generated/${name} is not what ${SCHEMA} makes`,
  );
}

/** Name to text. All files lie beside each other, and imports name files as Node wants them, whatever the release of flatc. */
function generated() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-'));
  try {
    run(['--ts', '-o', folder, join(ROOT, SCHEMA)]);
    const files = filesBelow(join(folder, 'sluice/wire')).filter((file) => file.endsWith('.ts'));
    return new Map(files.map((file) => [basename(file), flat(readFileSync(file, 'utf8'))]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function flat(text) {
  return text.replace(/from '(?:\.\.\/)*(?:\.\/)?(?:sluice\/wire\/)?([a-z-]+)(?:\.js)?';/g, (whole, name) =>
    name === 'flatbuffers' ? whole : `from './${name}.js';`,
  );
}

function schemaText() {
  return readFileSync(join(ROOT, SCHEMA));
}

function findFlatc() {
  const paths = join(ROOT, '.cache/native/paths.json');
  const known = existsSync(paths) ? JSON.parse(readFileSync(paths, 'utf8')).paths?.flatc : undefined;
  return [known, '/usr/bin/flatc', '/usr/local/bin/flatc'].find((file) => file && existsSync(file));
}

function flatcVersion() {
  return flatc === undefined ? '' : (/[\d.]+/.exec(run(['--version']))?.[0] ?? '');
}

function run(args) {
  const { status, stdout, stderr, error } = spawnSync(flatc, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${flatc} ${args.join(' ')}: ${error?.message ?? stderr ?? stdout}`);
  return stdout;
}
