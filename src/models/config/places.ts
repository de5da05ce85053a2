/**
 * Where in a configuration file each field stands, so that what is refused or ignored after the reading can be named with
 * its line and column. The text was read before (pbtxt.ts): only its outline is followed here (that of JSON in
 * json-places.ts). Pure.
 */
import protobuf from 'protobufjs/light.js';
import { MODEL_CONFIG_TYPE } from './fields.js';
import { parsePbtxt } from './pbtxt.js';

export type FieldPath = readonly PropertyKey[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Plain data: it crosses to the child process of a first run. */
export interface ConfigSource {
  readonly fileName: string;
  /** By `keyOf` a path. */
  readonly places: ReadonlyMap<string, Place>;
}

export interface Token extends Place {
  readonly text: string;
}

type Found = [path: FieldPath, place: Place];

const TOKENS = /#[^\n]*|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|[{}<>[\]:,;]|[^\s#"'{}<>[\]:,;]+|\n/g;

/** Of either form: what is quoted, brackets and words are the same in both. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let lineStart = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [token] = match;
    if (token === '\n') {
      line += 1;
      lineStart = match.index + 1;
    } else if (!token.startsWith('#')) {
      tokens.push({ text: token, line, column: match.index - lineStart + 1 });
    }
  }
  return tokens;
}

function isText(token: Token | undefined): boolean {
  return token !== undefined && /^["']/.test(token.text);
}

class Outline {
  private next = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  /** Fields up to the closing bracket, or the end. */
  message(type: protobuf.Type): Found[] {
    const found: Found[] = [];
    const counts = new Map<string, number>();
    for (let token = this.take(); token !== undefined && !/^[}>]$/.test(token.text); token = this.take()) {
      const field = type.fields[token.text];
      if (field === undefined) continue;
      this.skip(':');
      const count = counts.get(field.name) ?? 0;
      if (count === 0) found.push([[field.name], token]);
      counts.set(field.name, this.values(field, count, token, found));
    }
    return found;
  }

  /** One value, or a list of them; answers how many the field has now. */
  private values(field: protobuf.Field, count: number, name: Token, found: Found[]): number {
    if (this.tokens[this.next]?.text !== '[') {
      this.value(field, count, name, found);
      return count + 1;
    }
    this.take();
    let many = count;
    for (let token = this.tokens[this.next]; token !== undefined && token.text !== ']';) {
      this.value(field, many, token, found);
      many += 1;
      this.skip(',');
      token = this.tokens[this.next];
    }
    this.take();
    return many;
  }

  private value(field: protobuf.Field, index: number, place: Token, found: Found[]): void {
    const { resolvedType } = field;
    if (field instanceof protobuf.MapField) {
      this.mapEntry(field, place, found);
      return;
    }
    const path = field.repeated ? [field.name, index] : [field.name];
    if (field.repeated) found.push([path, place]);
    if (!(resolvedType instanceof protobuf.Type)) {
      this.scalar();
      return;
    }
    this.take();
    for (const [inner, at] of this.message(resolvedType)) found.push([[...path, ...inner], at]);
  }

  private mapEntry(field: protobuf.MapField, place: Token, found: Found[]): void {
    let key = '';
    const inside: Found[] = [];
    this.take();
    for (let token = this.take(); token !== undefined && !/^[}>]$/.test(token.text); token = this.take()) {
      if (token.text !== 'key' && token.text !== 'value') continue;
      this.skip(':');
      if (token.text === 'key') key = this.key();
      else if (!(field.resolvedType instanceof protobuf.Type)) this.scalar();
      else {
        this.take();
        inside.push(...this.message(field.resolvedType));
      }
    }
    found.push([[field.name, key], place]);
    for (const [inner, at] of inside) found.push([[field.name, key, ...inner], at]);
  }

  /** The tokens of one value: texts side by side are one. */
  private scalar(): Token[] {
    const from = this.next;
    this.take();
    while (isText(this.tokens[from]) && isText(this.tokens[this.next])) this.next += 1;
    return this.tokens.slice(from, this.next);
  }

  /** Escapes and bases mean what they mean to the one who reads the file, hence it is asked. */
  private key(): string {
    const tokens = this.scalar();
    const field = isText(tokens[0]) ? 'name' : 'max_batch_size';
    return String(parsePbtxt(`${field}: ${tokens.map(({ text }) => text).join(' ')}`, '')[field]);
  }

  private take(): Token | undefined {
    this.next += 1;
    return this.tokens[this.next - 1];
  }

  private skip(text: string): void {
    if (this.tokens[this.next]?.text === text) this.next += 1;
  }
}

export function keyOf(path: FieldPath): string {
  return JSON.stringify(path);
}

export function pbtxtSource(source: string, fileName: string): ConfigSource {
  const found = new Outline(tokensOf(source.replace(/^\uFEFF/, ''))).message(MODEL_CONFIG_TYPE);
  return {
    fileName,
    places: new Map(found.map(([path, { line, column }]) => [keyOf(path), { line, column }])),
  };
}

function pathText(path: FieldPath): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const word = String(step);
      if (!/^\w+$/.test(word) || path[index - 1] === 'parameters') return `[${JSON.stringify(word)}]`;
      return index === 0 ? word : `.${word}`;
    })
    .join('');
}

/** `config.pbtxt line 4 column 3: `, of the innermost field on the way that the file has; '' where it has none. */
export function linePrefix({ fileName, places }: ConfigSource, path: FieldPath): string {
  for (let length = path.length; length > 0; length -= 1) {
    const place = places.get(keyOf(path.slice(0, length)));
    if (place !== undefined) return `${fileName} line ${place.line} column ${place.column}: `;
  }
  return '';
}

/** The file, the line where it has lines, and the field. */
export function whereIn(source: ConfigSource, path: FieldPath): string {
  const prefix = linePrefix(source, path);
  return `${prefix === '' ? `${source.fileName} ` : prefix}${pathText(path)}`.trim();
}
