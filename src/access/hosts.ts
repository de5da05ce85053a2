/**
 * Which Host headers are let in. A page of a browser may have a name of its own point to this machine; it cannot
 * choose the Host header that goes with it, so names that are not ours are refused. Addresses are let in: they are nobody's
 * name. Pure.
 */
import { isIP } from 'node:net';

/** `Name.example:8000` -> `name.example`; `[::1]:80` -> `::1`. */
function hostName(hostHeader: string): string {
  const inBrackets = /^\[([^\]]*)\](?::\d*)?$/.exec(hostHeader);
  if (inBrackets !== null) return inBrackets[1] ?? '';
  return hostHeader.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

export class HostList {
  private readonly names: ReadonlySet<string>;

  /** Beside `localhost` and every address. */
  constructor(names: readonly string[]) {
    this.names = new Set(['localhost', ...names.map(hostName)]);
  }

  /** An absent header is not from a browser. */
  allows(hostHeader: string): boolean {
    if (hostHeader === '') return true;
    const name = hostName(hostHeader);
    return this.names.has(name) || isIP(name) !== 0;
  }
}

/** `a, b` -> a and b. */
export function listOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
