/**
 * The folder in which copies of model files lie while a load lasts: one per process, readable by nobody else. What a killed
 * process left behind is removed by the next one that starts; a process is known by its number and its time of birth.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../core/errors.js';

/** Clock ticks between the start of the machine and that of the process; '' where nobody tells. */
function birthOf(pid: number): string {
  try {
    const facts = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program may hold anything, but it ends at the last bracket.
    return facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(name: string): boolean {
  const [, pid = '', birth = ''] = /^(\d+)-(\d*)$/.exec(name) ?? [];
  if (pid === '') return true;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return birthOf(Number(pid)) === birth;
}

/** By the user's number: a container may run as one that has no name. */
export function defaultPrivateBase(): string {
  return join(tmpdir(), `sluice-${process.geteuid?.() ?? 0}`);
}

export class PrivateFolder {
  private readonly own: string;
  private given = 0;

  /** Throws where the folder cannot be made or belongs to somebody else. */
  constructor(base: string = defaultPrivateBase()) {
    try {
      mkdirSync(base, { recursive: true, mode: 0o700 });
      const facts = lstatSync(base);
      if (!facts.isDirectory() || facts.uid !== process.geteuid?.())
        throw new Error(`expected a folder of this user at ${base}`);
      chmodSync(base, 0o700);
      for (const name of readdirSync(base))
        if (!isAlive(name)) rmSync(join(base, name), { recursive: true, force: true });
      this.own = join(base, `${process.pid}-${birthOf(process.pid)}`);
      mkdirSync(this.own, { recursive: true, mode: 0o700 });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SluiceError('CONFIG_INVALID', `the folder for private copies of models: ${why}`, { cause });
    }
  }

  /** A path where nothing is yet. */
  next(): string {
    this.given += 1;
    return join(this.own, String(this.given));
  }

  close(): void {
    rmSync(this.own, { recursive: true, force: true });
  }
}
