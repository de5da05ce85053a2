/** Compares an answer with the golden one: which element differs most, and whether that is within the tolerance. Pure. */
import { elementsOf, type Element } from './elements.js';
import type { GoldenTensor } from './wire.js';

/** A number may differ by `absolute` + `relative` * |golden|. Integers and texts must be equal unless told otherwise. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

export interface Difference {
  /** Above 1: out of tolerance. */
  readonly ratio: number;
  /** For people. */
  readonly text: string;
}

const NONE: Difference = { ratio: 0, text: '' };

/** What single precision leaves to the order of additions. */
const FLOAT_DEFAULT: Tolerance = { absolute: 1e-5, relative: 1e-4 };
const COARSE_DEFAULT: Tolerance = { absolute: 1e-2, relative: 1e-2 };
const EXACT: Tolerance = { absolute: 0, relative: 0 };

export function defaultTolerance(datatype: string): Tolerance {
  if (datatype === 'FP32' || datatype === 'FP64') return FLOAT_DEFAULT;
  return datatype === 'FP16' || datatype === 'BF16' ? COARSE_DEFAULT : EXACT;
}

function ratioOf(golden: Element, got: Element, tolerance: Tolerance): number {
  if (golden === got) return 0;
  if (typeof golden === 'string' || typeof got === 'string') return Infinity;
  const [wanted, given] = [Number(golden), Number(got)];
  if (Number.isNaN(wanted) && Number.isNaN(given)) return 0;
  const apart = typeof golden === 'bigint' && typeof got === 'bigint' ? Number(golden - got) : wanted - given;
  if (!Number.isFinite(apart)) return Infinity;
  return Math.abs(apart) / (tolerance.absolute + tolerance.relative * Math.abs(wanted));
}

/** Index in every dimension. */
function placeOf(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const dim of [...shape].reverse()) {
    place.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return `[${place.join(', ')}]`;
}

export function compareTensor(
  golden: GoldenTensor,
  got: GoldenTensor | undefined,
  tolerance: Tolerance,
): Difference {
  const where = `output "${golden.name}"`;
  if (got === undefined) return { ratio: Infinity, text: `${where}: expected it, got none` };
  const shapes = [golden.shape, got.shape].map((shape) => `[${shape.join(', ')}]`);
  if (golden.datatype !== got.datatype || shapes[0] !== shapes[1]) {
    const text = `${where}: expected ${golden.datatype}${shapes[0]}, got ${got.datatype}${shapes[1]}`;
    return { ratio: Infinity, text };
  }
  const wanted = elementsOf(golden);
  const given = elementsOf(got);
  let worst = NONE;
  for (let index = 0; index < Math.max(wanted.count, given.count); index += 1) {
    const ratio = ratioOf(wanted.at(index), given.at(index), tolerance);
    if (ratio <= worst.ratio) continue;
    const [expected, came] = [String(wanted.at(index)), String(given.at(index))].map((text) =>
      text.slice(0, 40),
    );
    worst = { ratio, text: `${where} ${placeOf(index, golden.shape)}: expected ${expected}, got ${came}` };
  }
  return worst;
}

export function worse(left: Difference, right: Difference): Difference {
  return right.ratio > left.ratio ? right : left;
}
