/** A loader that opens by what the file holds: `bad` is refused, the rest opens; writes down what it was asked. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { SluiceError } from '../../src/core/errors.js';
import type { ServePlan, StartReport } from '../../src/core/model.js';
import type { OpenedModel, OpenOptions } from '../../src/core/opening.js';
import type { Answer, ModelLoader } from '../../src/models/ports.js';

/** What every start here tells. */
export const REPORT: StartReport = {
  execution: 'inline',
  batchLimitRows: 8,
  warmupMs: 3,
  costUs: [[1, 2]],
  costUsByLength: [],
};

export class PuppetLoader implements ModelLoader {
  readonly orders: OpenOptions[] = [];
  readonly closed: number[] = [];
  /** What the text of each opened file was, by handle. */
  readonly texts = new Map<number, string>();
  openNow = 0;
  mostAtOnce = 0;
  /** Called inside `open`, before the answer. */
  during: (order: OpenOptions) => Promise<void> = async () => {};

  async open(order: OpenOptions): Promise<OpenedModel> {
    this.orders.push(order);
    this.openNow += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.openNow);
    try {
      const text = readFileSync(order.path, 'utf8');
      await this.during(order);
      if (text.includes('bad')) throw new SluiceError('MODEL_INVALID', 'the file is bad');
      const handle = this.orders.length;
      this.texts.set(handle, text);
      const sha256 = createHash('sha256').update(text).digest('hex');
      return {
        handle,
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
        files: [{ name: basename(order.path), bytes: text.length, sha256 }],
        loadedBytes: 0,
      };
    } finally {
      this.openNow -= 1;
    }
  }

  async start(_handle: number, _plan: ServePlan): Promise<StartReport> {
    return REPORT;
  }

  async ask(): Promise<Answer> {
    throw new Error('the puppet answers nothing');
  }

  async close(handle: number): Promise<void> {
    this.closed.push(handle);
  }
}
