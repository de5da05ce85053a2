/**
 * Who may ask for what. One check for HTTP and for WebSocket: the key of the request's headers, its scope, its models.
 * Without a key file everybody may do everything, and whoever builds the server has seen to it that only this machine
 * reaches it. Lives on the loop. A header that was verified once is remembered; one that was not costs a hash and a
 * comparison with every key, in constant time.
 */
import { timingSafeEqual } from 'node:crypto';
import { hashKey, type KeyEntry, type Scope } from './key-file.js';

/** Who asks, once let in. */
export interface Caller {
  /** For logs; never the key itself. */
  readonly id: string;
  /** True from the moment the key has left the file. A connection that outlives it must end. */
  readonly isRevoked: boolean;
  /** `modelName` '': nothing that belongs to one model. A key limited to models may do only what names one of them. */
  may(scope: Scope, modelName: string): boolean;
}

export interface Headers {
  /** Lower-case name; '' when absent. */
  header(name: string): string;
}

export interface Denial {
  readonly code: 'UNAUTHORIZED' | 'FORBIDDEN';
  readonly message: string;
}

export const UNKNOWN_KEY: Denial = {
  code: 'UNAUTHORIZED',
  message:
    'Expected an API key that is known here, in the header "Authorization: Bearer KEY" or "X-API-Key: KEY"',
};

const ANYONE: Caller = { id: 'anonymous', isRevoked: false, may: () => true };

/** Headers that are remembered; each was verified, so there are about as many as keys. */
const MAX_REMEMBERED = 1024;
const MAX_KEY_LENGTH = 512;

class Key implements Caller {
  isRevoked = false;
  readonly id: string;
  readonly hash: Buffer;
  private readonly scopes: ReadonlySet<Scope>;
  private readonly models: ReadonlySet<string> | undefined;

  constructor(readonly entry: KeyEntry) {
    this.id = entry.id;
    this.hash = Buffer.from(entry.sha256, 'hex');
    this.scopes = new Set(entry.scopes.includes('admin') ? [...entry.scopes, 'metrics'] : entry.scopes);
    this.models = entry.models === undefined ? undefined : new Set(entry.models);
  }

  may(scope: Scope, modelName: string): boolean {
    return !this.isRevoked && this.scopes.has(scope) && (this.models?.has(modelName) ?? true);
  }
}

function isSame(left: KeyEntry, right: KeyEntry): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

export class Access {
  private keys: readonly Key[];
  /** By the text of each header: what is a key in one is none in the other. */
  private readonly byAuthorization = new Map<string, Key>();
  private readonly byApiKey = new Map<string, Key>();

  private constructor(
    /** Nobody needs a key. Never changes while the server runs. */
    readonly isOpen: boolean,
    entries: readonly KeyEntry[],
  ) {
    this.keys = entries.map((entry) => new Key(entry));
  }

  static open(): Access {
    return new Access(true, []);
  }

  static withKeys(entries: readonly KeyEntry[]): Access {
    return new Access(false, entries);
  }

  /** Takes over a newly read file: keys that are the same stay the same, others are revoked at once. */
  replaceKeys(entries: readonly KeyEntry[]): void {
    const before = this.keys;
    this.keys = entries.map((entry) => before.find((key) => isSame(key.entry, entry)) ?? new Key(entry));
    for (const key of before) if (!this.keys.includes(key)) key.isRevoked = true;
    this.byAuthorization.clear();
    this.byApiKey.clear();
  }

  /** undefined: no key, or none that is known. */
  callerOf(headers: Headers): Caller | undefined {
    if (this.isOpen) return ANYONE;
    const authorization = headers.header('authorization');
    if (authorization !== '') {
      const known = this.byAuthorization.get(authorization);
      if (known !== undefined) return known;
      const [, bearer] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
      if (bearer !== undefined) return this.verify(bearer, authorization, this.byAuthorization);
    }
    const apiKey = headers.header('x-api-key');
    return apiKey === ''
      ? undefined
      : (this.byApiKey.get(apiKey) ?? this.verify(apiKey, apiKey, this.byApiKey));
  }

  /** undefined: let it pass. */
  denial(headers: Headers, scope: Scope, modelName: string): Denial | undefined {
    const caller = this.callerOf(headers);
    if (caller === undefined) return UNKNOWN_KEY;
    return caller.may(scope, modelName) ? undefined : forbidden(caller, scope, modelName);
  }

  /** Every key is compared, whatever matched before, so that the time tells nothing. */
  private verify(key: string, headerText: string, remembered: Map<string, Key>): Key | undefined {
    if (key.length > MAX_KEY_LENGTH) return undefined;
    const hash = hashKey(key);
    let found: Key | undefined;
    for (const candidate of this.keys) if (timingSafeEqual(candidate.hash, hash)) found = candidate;
    if (found === undefined) return undefined;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(headerText, found);
    return found;
  }
}

function forbidden(caller: Caller, scope: Scope, modelName: string): Denial {
  const what = modelName === '' ? 'this' : `model "${modelName}"`;
  const message = `Key "${caller.id}" is not good for ${what}: expected a key with the scope "${scope}" that lists no models, or lists this one`;
  return { code: 'FORBIDDEN', message };
}
