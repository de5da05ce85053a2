/**
 * Makes the models that tests, benchmarks and examples use, without Python. See scripts/models/README.md.
 *   node scripts/make-models.mjs [--quick | --all | --only a,b] [--out DIR] [--check]
 *   node scripts/make-models.mjs --bad DIR
 *   node scripts/make-models.mjs --digits WEIGHTS.json --out examples/models
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeBadModels } from './models/bad-models.mjs';
import { CATALOGUE } from './models/catalogue.mjs';
import { digits } from './models/digits.mjs';
import { writeIfChanged, writeModel } from './models/write-repository.mjs';

const DEFAULT_OUT = fileURLToPath(new URL('../build/models', import.meta.url));

const HELP = `Usage: node scripts/make-models.mjs [options]
  --quick          the small models, which tests need (default)
  --all            the large ones too: mid (25 MB), resnet18 (47 MB)
  --only a,b       these models only
  --out DIR        repository to write into (default build/models)
  --check          run every model once with ONNX Runtime and compare with what it promises
  --list           print the names
  --bad DIR        models that a server must refuse, into DIR/repository
  --digits FILE    the digit classifier from learned weights, into OUT/digits/1`;

const OPTIONS = {
  quick: { type: 'boolean' },
  all: { type: 'boolean' },
  only: { type: 'string' },
  out: { type: 'string' },
  check: { type: 'boolean' },
  list: { type: 'boolean' },
  bad: { type: 'string' },
  digits: { type: 'string' },
  help: { type: 'boolean' },
};

function chosenModels({ all, only }) {
  if (only === undefined) return CATALOGUE.filter(({ size }) => all || size === 'small');
  return only.split(',').map((name) => {
    const found = CATALOGUE.find((entry) => entry.name === name);
    if (!found) throw new Error(`expected names of models for --only (see --list), got '${name}'`);
    return found;
  });
}

async function checkModels(out, chosen) {
  const { checkModel } = await import('./models/self-check.mjs');
  let wrong = 0;
  for (const entry of chosen) {
    try {
      const remark = await checkModel(out, entry);
      console.log(`ok    ${entry.name}${remark ? ` (${remark})` : ''}`);
    } catch (error) {
      wrong += 1;
      console.log(`WRONG ${entry.name}: ${error.message}`);
    }
  }
  if (wrong > 0)
    throw new Error(`expected every model to answer as promised, ${wrong} of ${chosen.length} did not`);
}

async function main() {
  const { values: flags } = parseArgs({ options: OPTIONS });
  if (flags.help) return console.log(HELP);
  if (flags.list) return console.log(CATALOGUE.map(({ name }) => name).join('\n'));
  const out = flags.out ?? DEFAULT_OUT;
  if (flags.bad !== undefined) return console.log(JSON.stringify(makeBadModels(flags.bad), null, 2));
  if (flags.digits !== undefined) {
    const bytes = digits(JSON.parse(readFileSync(flags.digits, 'utf8')));
    writeIfChanged(join(out, 'digits/1/model.onnx'), bytes);
    return console.log(`digits: ${bytes.length} bytes`);
  }

  const chosen = chosenModels(flags);
  let bytes = 0;
  let changed = 0;
  for (const entry of chosen) {
    const written = writeModel(out, entry);
    bytes += written.bytes;
    changed += written.changed;
  }
  console.log(`${chosen.length} models, ${(bytes / 1e6).toFixed(1)} MB, ${changed} files changed`);
  if (flags.check) await checkModels(out, chosen);
}

try {
  await main();
} catch (error) {
  console.error(`make-models: ${error.message}`);
  process.exitCode = 1;
}
