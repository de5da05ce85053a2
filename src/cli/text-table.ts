/** Plain text in columns. Colour only where a person looks: when the stream is a terminal. */
import { styleText } from 'node:util';

export interface TextOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Rows of cells; the last cell of a row may be as long as it likes. */
export function formatTable(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  const all = [head, ...rows];
  const widths = head.map((_cell, column) =>
    Math.max(...all.map((row) => (column === row.length - 1 ? 0 : (row[column] ?? '').length))),
  );
  return all.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

export function writeTable(
  output: TextOutput,
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
): void {
  const [first = '', ...others] = formatTable(head, rows);
  output.write(`${[output.isTTY === true ? styleText('bold', first) : first, ...others].join('\n')}\n`);
}
