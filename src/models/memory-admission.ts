/**
 * Lets a load begin, and a version warm up, only where the memory will fit: what the process holds, what loads under way
 * will take, and an estimate for the new one must stay below a limit. Lives on the loop.
 */
import { readFileSync } from 'node:fs';
import { SluiceError } from '../core/errors.js';

/** A file is held once as it is read, and once more by the session that is made of it. */
const BYTES_PER_FILE_BYTE = 2;
/** What the system may not be left without. */
const USABLE_SHARE = 0.9;
const CGROUP_LIMITS = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];

/** The limit that the container sets; undefined where there is none. */
export function containerLimitBytes(): number | undefined {
  for (const path of CGROUP_LIMITS) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      // Version 1 writes "no limit" as a number near 2^63.
      if (/^\d+$/.test(text) && Number(text) < 2 ** 60) return Math.floor(Number(text) * USABLE_SHARE);
    } catch {
      // Not this version of cgroups.
    }
  }
  return undefined;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

export interface Reservation {
  readonly bytes: number;
  readonly release: () => void;
}

export class MemoryAdmission {
  private reservedBytes = 0;

  constructor(
    /** undefined: no limit. */
    private readonly limitBytes: number | undefined,
    private readonly residentBytes: () => number = () => process.memoryUsage.rss(),
  ) {}

  /** Throws where the load would not fit; otherwise answers what ends the reservation. */
  reserve(fileBytes: number): () => void {
    return this.take(fileBytes * BYTES_PER_FILE_BYTE, fileBytes * BYTES_PER_FILE_BYTE).release;
  }

  /** As many bytes as there is room for, `most` of them at most; throws where `least` do not fit. `what` needs them. */
  take(least: number, most: number, what = ''): Reservation {
    if (this.limitBytes === undefined) return { bytes: most, release: () => undefined };
    const held = this.residentBytes() + this.reservedBytes;
    const room = this.limitBytes - held;
    if (least > room) {
      throw new SluiceError(
        'MODEL_INVALID',
        `not enough memory${what}: expected to need ${mebibytes(least)} beside ${mebibytes(held)}, the limit is ${mebibytes(this.limitBytes)}`,
      );
    }
    const bytes = Math.min(most, room);
    this.reservedBytes += bytes;
    return {
      bytes,
      release: () => {
        this.reservedBytes -= bytes;
      },
    };
  }
}
