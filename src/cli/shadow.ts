/**
 * `sluice shadow`: what the shadows of a running server have found out, and a mismatch that is sent again. A replay asks the
 * inference listener for both versions, pinned, and holds their answers to those that were kept.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { MismatchRow, Quantiles, ShadowReport } from '../shadow/report.js';
import { addAdminOptions, AdminClient, pathOf, type AdminOptions } from './admin-client.js';
import { CommandEnd, EXIT } from './exit-codes.js';
import { writeTable } from './text-table.js';

const EXAMPLES = `
Examples:
  sluice shadow report                       every shadow: how often it differs, and whether that is allowed
  sluice shadow report digits --json
  sluice shadow mismatches digits            the worst mismatches that were kept
  sluice shadow replay digits                sends the worst one again to both versions
  sluice shadow replay digits 3-1 --out request.bin`;

const REPORT_HEAD = ['MODEL', 'OF', 'SHADOW', 'COMPARED', 'APART', 'DROPPED', 'P50 us', 'VERDICT'] as const;
const OUTPUT_HEAD = ['MODEL', 'SHADOW', 'OUTPUT', 'APART', 'MEAN', 'MAX', 'TOP 1'] as const;
const MISMATCH_HEAD = ['ID', 'TIME', 'OF', 'SHADOW', 'ROWS', 'EXCESS', 'OUTPUTS APART'] as const;
const DEFAULT_URL = 'http://127.0.0.1:8000';
const TIMEOUT_MS = 30_000;

function short(value: number | null): string {
  return value === null ? 'endless' : String(Number(value.toPrecision(3)));
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function medians(primary: Quantiles | null, shadow: Quantiles | null): string {
  return primary === null || shadow === null ? '' : `${primary.p50} / ${shadow.p50}`;
}

function reportRow({ facts, ...report }: ShadowReport): string[] {
  return [
    report.model,
    report.primary || '-',
    report.shadow || report.rule.version,
    String(facts?.compared ?? 0),
    String(facts?.apart ?? 0),
    String(facts === null ? 0 : sum(facts.dropped) + sum(facts.skipped)),
    medians(report.primaryRunUs, report.shadowRunUs),
    `${report.isFlagged ? 'FLAGGED: ' : ''}${report.verdict}`,
  ];
}

function outputRows({ model, shadow, facts }: ShadowReport): string[][] {
  return (facts?.outputs ?? [])
    .filter(({ requests }) => requests > 0)
    .map((output) => [
      model,
      shadow,
      output.name,
      `${output.requestsApart} of ${output.requests}`,
      short(output.meanAbsolute),
      short(output.maxAbsolute),
      output.vectors === 0 ? '' : `${short((output.top1Agreed / output.vectors) * 100)} %`,
    ]);
}

async function report(model: string | undefined, options: AdminOptions): Promise<void> {
  const path = model === undefined ? '/shadow' : pathOf`/shadow/${model}`;
  const answer = await new AdminClient(options).get(path);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    return;
  }
  const shadows = answer['shadows'] as readonly ShadowReport[];
  if (shadows.length === 0) {
    process.stdout.write('no shadows\n');
    return;
  }
  writeTable(process.stdout, REPORT_HEAD, shadows.map(reportRow));
  const outputs = shadows.flatMap(outputRows);
  if (outputs.length === 0) return;
  process.stdout.write('\n');
  writeTable(process.stdout, OUTPUT_HEAD, outputs);
}

async function mismatchesOf(client: AdminClient, model: string): Promise<readonly MismatchRow[]> {
  const answer = await client.get(pathOf`/shadow/${model}/mismatches`);
  return answer['mismatches'] as readonly MismatchRow[];
}

async function mismatches(model: string, options: AdminOptions): Promise<void> {
  const rows = await mismatchesOf(new AdminClient(options), model);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ mismatches: rows }, null, 2)}\n`);
  else if (rows.length === 0) process.stdout.write('no mismatches\n');
  else
    writeTable(
      process.stdout,
      MISMATCH_HEAD,
      rows.map(({ id, time, primary, shadow, rows: count, excess, outputs }) => {
        const apart = outputs.filter((one) => one.rowsApart > 0 || one.isOtherShape).map(({ name }) => name);
        return [id, time, primary, shadow, String(count), short(excess), apart.join(', ')];
      }),
    );
}

interface ReplayOptions extends AdminOptions {
  readonly url: string;
  readonly inferKey?: string;
  readonly out?: string;
}

interface Answered {
  readonly version: string;
  readonly side: 'primary' | 'shadow';
  readonly status: number;
  /** The same bytes as those that were kept. */
  readonly isSame: boolean;
  readonly bytes: number;
  readonly sha256: string;
  readonly error: string;
}

async function send(
  options: ReplayOptions,
  model: string,
  version: string,
  request: { bytes: Uint8Array; headLength: string },
): Promise<{ status: number; bytes: Uint8Array }> {
  const { url, inferKey, key } = options;
  const bearer = inferKey ?? key;
  const path = pathOf`/v2/models/${model}/versions/${version}/infer`;
  try {
    const response = await fetch(new URL(path, url), {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': request.headLength,
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: request.bytes,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (error) {
    throw new CommandEnd(EXIT.unexpected, `no server answers at ${url}: ${String(error)}`);
  }
}

async function replay(model: string, id: string | undefined, options: ReplayOptions): Promise<void> {
  const client = new AdminClient(options);
  const rows = await mismatchesOf(client, model);
  const row = id === undefined ? rows.find(({ hasBodies }) => hasBodies) : rows.find((one) => one.id === id);
  if (row === undefined) {
    const known = rows.map((one) => one.id).join(', ') || 'none';
    throw new CommandEnd(
      EXIT.usage,
      id === undefined
        ? `no mismatch of model "${model}" is kept with its bodies`
        : `expected the id of a mismatch that is kept, got "${id}": there are ${known}`,
    );
  }
  const partOf = (name: string) =>
    client.bytes(`${pathOf`/shadow/${model}/mismatches/${row.id}`}?part=${name}`);
  const request = await partOf('request');
  if (options.out !== undefined) writeFileSync(options.out, request.bytes);
  const answers: Answered[] = [];
  for (const side of ['primary', 'shadow'] as const) {
    const version = row[side];
    const [kept, { status, bytes }] = await Promise.all([
      partOf(side),
      send(options, model, version, request),
    ]);
    answers.push({
      version,
      side,
      status,
      isSame: Buffer.compare(kept.bytes, bytes) === 0,
      bytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      error: status === 200 ? '' : Buffer.from(bytes).toString().slice(0, 200),
    });
  }
  const headLength = Number(request.headLength);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ mismatch: row, headLength, answers }, null, 2)}\n`);
    return;
  }
  const what = `mismatch ${row.id} of ${row.time}: ${row.rows} row(s), excess ${short(row.excess)}`;
  process.stdout.write(`${what}\n`);
  for (const { version, side, status, isSame, error } of answers) {
    const told = status === 200 ? (isSame ? 'the same bytes as then' : 'other bytes than then') : error;
    process.stdout.write(`version ${version} (${side}): ${status}, ${told}\n`);
  }
  if (options.out !== undefined)
    process.stdout.write(`${options.out}: the request, Inference-Header-Content-Length: ${headLength}\n`);
}

export function addShadow(program: Command): void {
  const group = program
    .command('shadow')
    .summary('what shadows have found out; a mismatch sent again')
    .description('Shows how the answers of shadows differ, and sends a mismatch again.')
    .addHelpText('after', EXAMPLES);
  addAdminOptions(
    group
      .command('report')
      .summary('how often answers differ, by how much, and whether that is allowed')
      .argument('[model]', 'default: every model'),
  ).action(report);
  addAdminOptions(
    group.command('mismatches').summary('the worst mismatches that were kept').argument('<model>'),
  ).action(mismatches);
  addAdminOptions(
    group
      .command('replay')
      .summary('sends a mismatch again to both versions')
      .argument('<model>')
      .argument('[id]', 'of a mismatch; default: the worst one')
      .option('--url <url>', 'inference listener of the server', DEFAULT_URL)
      .option('--infer-key <key>', 'API key with the scope infer; default: --key')
      .option('--out <file>', 'also writes the request, a V2 body with binary tensors'),
  ).action(replay);
}
