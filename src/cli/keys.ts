/**
 * `sluice keys new` makes a key and shows it once; `sluice keys hash` takes one that exists. Both give the entry for the key
 * file, which holds its hash only; with `--file` they put it there themselves, by an atomic rename.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { hashKey, newKey, parseKeyFile, SCOPES, type KeyEntry } from '../access/key-file.js';
import { listOf } from '../access/hosts.js';
import { CommandEnd, EXIT } from './exit-codes.js';

interface KeyOptions {
  readonly id: string;
  readonly scopes: string;
  readonly models?: string;
  readonly file?: string;
}

/** Shorter ones can be guessed from their hash. */
const LEAST_KEY_LENGTH = 24;

const EXAMPLES = `
Examples:
  sluice keys new --id web-2026-11 --scopes infer --file keys.json   add a key to the file; it is printed once
  sluice keys new --id ops --scopes admin,metrics                    print the key and its entry
  sluice keys hash --id old --scopes infer < key.txt                 the entry of a key that exists

Then: sluice serve ./models --keys keys.json
To rotate: add the new key, move the clients over, delete the old entry. The server reads the file again by itself.`;

function makeEntry(key: string, options: KeyOptions): KeyEntry {
  const models = listOf(options.models);
  const entry = {
    id: options.id,
    sha256: hashKey(key).toString('hex'),
    scopes: listOf(options.scopes),
    ...(models.length === 0 ? {} : { models }),
  };
  const [checked] = parseKeyFile(JSON.stringify({ keys: [entry] }), 'the key');
  if (checked === undefined) throw new Error('a key file of one key was read as empty');
  return checked;
}

/** Only readable by its owner when it is new; an existing file keeps its entries, and whoever may read it. */
function addToFile(path: string, entry: KeyEntry): void {
  const isNew = !existsSync(path);
  const place = isNew ? path : realpathSync(path);
  const before = isNew ? [] : parseKeyFile(readFileSync(place, 'utf8'), basename(path));
  const text = `${JSON.stringify({ keys: [...before, entry] }, null, 2)}\n`;
  parseKeyFile(text, basename(path));
  const written = `${place}.${process.pid}.new`;
  const file = openSync(written, 'wx', 0o600);
  try {
    if (!isNew) keepRights(file, statSync(place));
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(written, place);
}

function keepRights(file: number, { uid, gid, mode }: Stats): void {
  try {
    fchownSync(file, uid, gid);
  } catch {
    // Only root may give a file away.
  }
  fchmodSync(file, mode & 0o777);
}

function tell(entry: KeyEntry, options: KeyOptions): void {
  if (options.file === undefined) {
    process.stdout.write(`${JSON.stringify(entry)}\n`);
    return;
  }
  addToFile(options.file, entry);
  process.stderr.write(`added "${entry.id}" to ${options.file}\n`);
}

function addKeyOptions(command: Command): Command {
  return command
    .requiredOption('--id <name>', 'names the key in logs')
    .requiredOption('--scopes <list>', `what it is good for: ${SCOPES.join(', ')}, with commas between`)
    .option('--models <list>', 'only for these models, with commas between')
    .option('--file <path>', 'add the entry to this key file');
}

export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .summary('make API keys')
    .description('Makes API keys and their entries for the key file of "sluice serve --keys".')
    .addHelpText('after', EXAMPLES);
  addKeyOptions(keys.command('new').summary('make a key, show it once')).action((options: KeyOptions) => {
    const key = newKey();
    const entry = makeEntry(key, options);
    process.stdout.write(`${key}\n`);
    tell(entry, options);
  });
  addKeyOptions(keys.command('hash').summary('the entry of a key that comes on stdin')).action(
    async (options: KeyOptions) => {
      const key = (await readAll(process.stdin)).replace(/\r?\n$/, '');
      if (key.length < LEAST_KEY_LENGTH || /\s/.test(key))
        throw new CommandEnd(
          EXIT.usage,
          `expected a key of at least ${LEAST_KEY_LENGTH} characters without spaces on stdin, got ${key.length} characters`,
        );
      tell(makeEntry(key, options), options);
    },
  );
}
