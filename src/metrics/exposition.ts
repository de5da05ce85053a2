/**
 * Families and lines that are text already, put together to the bytes of one scrape: in blocks, because a megabyte at once,
 * made, encoded and written, would hold the loop for milliseconds. One of these lives as long as one scrape.
 */
import type { FamilyHead, MetricFamily } from './family.js';
import { headText, sampleText, type Format } from './sample-text.js';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Gives the loop to others now and then. */
export type Pause = () => Promise<void> | undefined;

const BLOCK_BYTES = 64 * 1024;
/** Shorter texts are gathered before they become bytes. */
const TEXT_CHARS = 4 * 1024;

export class Exposition {
  private text = '';
  private block = Buffer.allocUnsafe(BLOCK_BYTES);
  private filled = 0;
  private readonly blocks: Buffer[] = [];

  constructor(
    private readonly format: Format,
    private readonly pause: Pause,
  ) {}

  async add(family: MetricFamily): Promise<void> {
    let hasHead = false;
    for (const sample of family.samples) {
      if (!hasHead) this.text += headText(family, this.format);
      hasHead = true;
      this.text += sampleText(family.name, sample, this.format);
      if (this.text.length >= TEXT_CHARS) this.encode();
      const paused = this.pause();
      if (paused !== undefined) await paused;
    }
  }

  /** Lines of one family, as they are in this format. */
  async addLines(head: FamilyHead, lines: readonly Uint8Array[]): Promise<void> {
    let hasHead = false;
    for (const one of lines) {
      if (one.byteLength === 0) continue;
      if (!hasHead) this.text += headText(head, this.format);
      hasHead = true;
      this.encode();
      this.put(one);
      const paused = this.pause();
      if (paused !== undefined) await paused;
    }
  }

  finish(): readonly Uint8Array[] {
    if (this.format === 'openmetrics') this.text += '# EOF\n';
    this.encode();
    return [...this.blocks, this.block.subarray(0, this.filled)];
  }

  private encode(): void {
    if (this.text === '') return;
    this.put(Buffer.from(this.text));
    this.text = '';
  }

  private put(bytes: Uint8Array): void {
    let taken = 0;
    while (bytes.byteLength - taken > BLOCK_BYTES - this.filled) {
      const end = taken + BLOCK_BYTES - this.filled;
      this.block.set(bytes.subarray(taken, end), this.filled);
      taken = end;
      this.blocks.push(this.block);
      this.block = Buffer.allocUnsafe(BLOCK_BYTES);
      this.filled = 0;
    }
    this.block.set(taken === 0 ? bytes : bytes.subarray(taken), this.filled);
    this.filled += bytes.byteLength - taken;
  }
}
