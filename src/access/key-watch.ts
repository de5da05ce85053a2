/**
 * Reads the key file at the start and again whenever it changes. A file that is broken or gone changes nothing: the keys
 * that were good last stay good, and the log tells. Polls, because files that are mounted or renamed into place raise no
 * event everywhere. Lives on the loop.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { SluiceError } from '../core/errors.js';
import { Access } from './access.js';
import { parseKeyFile, type KeyEntry } from './key-file.js';

export interface KeyLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const POLL_MS = 1000;

function read(path: string): readonly KeyEntry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SluiceError('CONFIG_INVALID', `key file ${path}: cannot be read`, { cause: error });
  }
  return parseKeyFile(text, basename(path));
}

/** Changes with every way of writing a file: in place, renamed over, or a link moved. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return 'gone';
  }
}

export class KeyWatch {
  readonly access: Access;
  private stamp: string;
  private readonly timer: NodeJS.Timeout;

  /** Throws where the file is not good: a server does not start without the keys that it was told to have. */
  constructor(
    private readonly path: string,
    private readonly log: KeyLog,
  ) {
    this.stamp = stampOf(path);
    this.access = Access.withKeys(read(path));
    this.timer = setInterval(() => {
      this.look();
    }, POLL_MS);
    this.timer.unref();
  }

  /** Reads the file again if it has changed. */
  look(): void {
    const stamp = stampOf(this.path);
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    try {
      const entries = read(this.path);
      this.access.replaceKeys(entries);
      this.log.info({ keys: entries.length }, 'the key file was read again');
    } catch (error) {
      const told = error instanceof SluiceError ? error.message : String(error);
      this.log.error({ err: error }, `the key file is not good, the keys before it stay: ${told}`);
    }
  }

  close(): void {
    clearInterval(this.timer);
  }
}
