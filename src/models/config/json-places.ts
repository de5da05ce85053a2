/**
 * Where each field of a config.json stands. The text is JSON, as its reader found out before: only its outline is followed
 * here. Paths have the names of fields, however their keys are spelt. Pure.
 */
import protobuf from 'protobufjs/light.js';
import { fieldOfKey, MODEL_CONFIG_TYPE } from './fields.js';
import { keyOf, tokensOf, type ConfigSource, type FieldPath, type Place, type Token } from './places.js';

/** Deeper than any configuration; what lies below has the place of what is above it. */
const MOST_STEPS = 64;

/** What the keys of an object mean: fields of a type, or nothing but themselves. */
interface Meaning {
  readonly type: protobuf.Type | undefined;
  readonly isMap: boolean;
}

const NOTHING: Meaning = { type: undefined, isMap: false };

function meaningOf(field: protobuf.Field | undefined): Meaning {
  const type = field?.resolvedType instanceof protobuf.Type ? field.resolvedType : undefined;
  return { type, isMap: field instanceof protobuf.MapField };
}

class Outline {
  readonly places = new Map<string, Place>();
  private next = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  value(meaning: Meaning, path: FieldPath): void {
    const opening = this.take()?.text;
    if (opening !== '{' && opening !== '[') return;
    if (path.length >= MOST_STEPS) this.skipToEnd();
    else if (opening === '{') this.members(meaning, path);
    else this.items(meaning, path);
  }

  private members({ type, isMap }: Meaning, path: FieldPath): void {
    for (let token = this.take(); token !== undefined && token.text !== '}'; token = this.take()) {
      if (token.text === ',') continue;
      const key = String(JSON.parse(token.text));
      const field = isMap || type === undefined ? undefined : fieldOfKey(type, key);
      const inner = [...path, field?.name ?? key];
      this.note(inner, token);
      this.take();
      this.value(isMap ? { type, isMap: false } : meaningOf(field), inner);
    }
  }

  private items(meaning: Meaning, path: FieldPath): void {
    let index = 0;
    for (let token = this.tokens[this.next]; token !== undefined; token = this.tokens[this.next]) {
      if (token.text === ',' || token.text === ']') {
        this.take();
        if (token.text === ']') return;
        continue;
      }
      const inner = [...path, index];
      index += 1;
      this.note(inner, token);
      this.value(meaning, inner);
    }
  }

  private skipToEnd(): void {
    for (let open = 1; open > 0;) {
      const token = this.take();
      if (token === undefined) return;
      if (/^[{[]$/.test(token.text)) open += 1;
      else if (/^[}\]]$/.test(token.text)) open -= 1;
    }
  }

  private note(path: FieldPath, { line, column }: Token): void {
    this.places.set(keyOf(path), { line, column });
  }

  private take(): Token | undefined {
    this.next += 1;
    return this.tokens[this.next - 1];
  }
}

export function jsonSource(text: string, fileName: string): ConfigSource {
  const outline = new Outline(tokensOf(text));
  outline.value({ ...NOTHING, type: MODEL_CONFIG_TYPE }, []);
  return { fileName, places: outline.places };
}
