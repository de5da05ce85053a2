// One set-up at a time per tree: a file with the owner's process id. Others wait; a lock whose owner is gone is taken over.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CACHE } from './stamp.mjs';

const POLL_MS = 200;

/** Waits for the lock and returns the function that gives it back. */
export async function takeLock({ file = join(CACHE, 'setup.lock'), say = () => {} } = {}) {
  mkdirSync(join(file, '..'), { recursive: true });
  const mine = `${process.pid} ${startOf(process.pid)}`;
  let told = false;
  while (!tryCreate(file, mine)) {
    const owner = readOwner(file);
    if (owner === undefined) continue;
    if (!isAlive(owner)) {
      removeStale(file, owner);
      continue;
    }
    if (!told) say(`setup: waiting for the set-up that process ${owner.split(' ')[0]} is doing`);
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => {
    if (readOwner(file) === mine) rmSync(file, { force: true });
    process.off('exit', release);
  };
  process.on('exit', release);
  return release;
}

// The lock appears with its contents in one move (link), so that nobody reads a half-written owner.
function tryCreate(file, mine) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readOwner(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

// Moved aside before it is removed: of two that saw the same stale lock, the slower one would else remove the new owner's.
function removeStale(file, owner) {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (readFileSync(aside, 'utf8') !== owner) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAlive(owner) {
  const [pid, start] = owner.split(' ');
  if (!/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return startOf(pid) === start;
}

// A process id is given out again; together with the start time (field 22 of the kernel's stat line) it is not.
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return '';
  }
}
