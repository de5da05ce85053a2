/**
 * Owns: a JSON reader for tests that loses nothing: integers beyond 2^53 become bigint, NaN and Infinity are read, a key
 * twice or anything after the end is an error. Objects have no prototype.
 */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:Infinity|(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null|NaN/y;
const WORDS: Record<string, Json> = { true: true, false: false, null: null, NaN: NaN };

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  whole(): Json {
    const json = this.value();
    this.match(SPACE);
    if (this.at !== this.text.length) this.fail('the end');
    return json;
  }

  private fail(expected: string): never {
    throw new Error(
      `expected ${expected} at ${this.at} of the JSON, got '${this.text.slice(this.at, this.at + 20)}'`,
    );
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }

  /** Takes `mark` where it comes next. */
  private takes(mark: string): boolean {
    this.match(SPACE);
    if (this.text[this.at] !== mark) return false;
    this.at += 1;
    return true;
  }

  private value(): Json {
    if (this.takes('{')) return this.object();
    if (this.takes('[')) return this.array();
    const word = this.match(WORD);
    if (word) return WORDS[word[0]]!;
    const number = this.match(NUMBER);
    if (number) return exactNumber(number);
    return this.string();
  }

  private string(): string {
    this.match(SPACE);
    const found = this.match(STRING);
    return found ? (JSON.parse(found[0]) as string) : this.fail('a value');
  }

  private array(): Json[] {
    const items: Json[] = [];
    if (this.takes(']')) return items;
    do items.push(this.value());
    while (this.takes(','));
    return this.takes(']') ? items : this.fail("',' or ']'");
  }

  private object(): { [key: string]: Json } {
    const object = Object.create(null) as { [key: string]: Json };
    if (this.takes('}')) return object;
    do {
      const key = this.string();
      if (key in object) this.fail(`key '${key}' once`);
      if (!this.takes(':')) this.fail("':'");
      object[key] = this.value();
    } while (this.takes(','));
    return this.takes('}') ? object : this.fail("',' or '}'");
  }
}

function exactNumber(found: RegExpExecArray): number | bigint {
  const number = Number(found[0]);
  const isInteger = found[1] === undefined && found[2] === undefined && Number.isFinite(number);
  return isInteger && !Number.isSafeInteger(number) ? BigInt(found[0]) : number;
}

export function parseExactJson(bytes: Uint8Array | string): Json {
  const text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  return new Reader(text).whole();
}
