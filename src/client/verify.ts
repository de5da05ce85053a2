/**
 * Checks that every offset and length of a frame lies inside its message. The FlatBuffers runtime for JavaScript has no such
 * check, and its accessors follow whatever they find, so nothing is read of a frame that did not pass here.
 * The tables are those of schemas/inference.fbs that a server sends; fields that are not listed are never read.
 */

/** A number of that many bytes, text, a vector of elements of that size, a table, or a vector of tables or texts. */
type Field =
  | { readonly scalar: number }
  | { readonly vector: number }
  | { readonly text: true }
  | { readonly texts: true }
  | { readonly table: Table }
  | { readonly tables: Table };

/** In the order of the schema. */
type Table = readonly Field[];

const BYTE: Field = { scalar: 1 };
const SHORT: Field = { scalar: 2 };
const INT: Field = { scalar: 4 };
const TEXT: Field = { text: true };
const SHAPE: Field = { vector: 8 };

const TENSOR: Table = [TEXT, SHORT, BYTE, SHAPE, { vector: 1 }];
const STAGE_TIMES: Table = [INT, INT, INT, INT];
const RESPONSE: Table = [INT, TEXT, TEXT, { tables: TENSOR }, { table: STAGE_TIMES }];
const REQUEST_ERROR: Table = [INT, SHORT, TEXT, TEXT, INT];
const TENSOR_INFO: Table = [TEXT, BYTE, SHAPE];
const MODEL_INFO: Table = [
  INT,
  TEXT,
  TEXT,
  { texts: true },
  INT,
  { tables: TENSOR_INFO },
  { tables: TENSOR_INFO },
];
const HELLO: Table = [INT, TEXT, INT, INT, { tables: MODEL_INFO }, INT];
const GOODBYE: Table = [BYTE, INT, INT];
/** A server sends no requests and cancels: of those not even the offset is followed. */
const FRAME: Table = [
  INT,
  INT,
  { table: RESPONSE },
  { table: REQUEST_ERROR },
  { table: HELLO },
  { table: GOODBYE },
];

const IDENTIFIER = 0x31554c53; // 'SLU1'

class Bounds {
  private readonly view: DataView;
  /** Offsets may share what they point at, so what is looked at is counted: no more than the message could hold apart. */
  private looksLeft: number;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.looksLeft = bytes.byteLength;
  }

  isFrame(): boolean {
    if (this.bytes.byteLength < 8 || this.view.getUint32(4, true) !== IDENTIFIER) return false;
    return this.isTable(this.view.getUint32(0, true), FRAME);
  }

  private has(at: number, count: number): boolean {
    return at >= 0 && count >= 0 && at + count <= this.bytes.byteLength;
  }

  private isTable(at: number, table: Table): boolean {
    const { view } = this;
    this.looksLeft -= 4;
    if (this.looksLeft < 0 || !this.has(at, 4)) return false;
    const places = at - view.getInt32(at, true);
    if (!this.has(places, 4)) return false;
    const placesBytes = view.getUint16(places, true);
    const tableBytes = view.getUint16(places + 2, true);
    if (placesBytes < 4 || placesBytes % 2 !== 0 || !this.has(places, placesBytes)) return false;
    if (tableBytes < 4 || !this.has(at, tableBytes)) return false;
    for (let index = 0; index < table.length && 4 + 2 * index < placesBytes; index += 1) {
      const place = view.getUint16(places + 4 + 2 * index, true);
      if (place !== 0 && !this.isField(at, place, tableBytes, table[index]!)) return false;
    }
    return true;
  }

  private isField(at: number, place: number, tableBytes: number, field: Field): boolean {
    const isScalar = 'scalar' in field;
    if (place < 4 || place + (isScalar ? field.scalar : 4) > tableBytes) return false;
    if (isScalar) return true;
    const target = this.follow(at + place);
    if ('table' in field) return this.isTable(target, field.table);
    if ('text' in field) return this.isVector(target, 1);
    if ('vector' in field) return this.isVector(target, field.vector);
    if (!this.isVector(target, 4)) return false;
    const count = this.view.getUint32(target, true);
    for (let index = 0; index < count; index += 1) {
      const element = this.follow(target + 4 + 4 * index);
      const isGood = 'tables' in field ? this.isTable(element, field.tables) : this.isVector(element, 1);
      if (!isGood) return false;
    }
    return true;
  }

  private follow(at: number): number {
    return at + this.view.getUint32(at, true);
  }

  private isVector(at: number, elementBytes: number): boolean {
    this.looksLeft -= 4;
    return (
      this.looksLeft >= 0 && this.has(at, 4) && this.has(at + 4, this.view.getUint32(at, true) * elementBytes)
    );
  }
}

export function isFrame(bytes: Uint8Array): boolean {
  return new Bounds(bytes).isFrame();
}
