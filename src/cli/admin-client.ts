/**
 * Asks the admin listener of a running server, for the verbs that show and change what it serves. An answer that is not good
 * becomes one line and an exit code.
 */
import { Option, type Command } from 'commander';
import { CommandEnd, EXIT } from './exit-codes.js';

export interface AdminOptions {
  readonly admin: string;
  readonly key?: string;
  readonly json?: boolean;
}

const DEFAULT_URL = 'http://127.0.0.1:8002';
const TIMEOUT_MS = 30_000;

export function addAdminOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--admin <url>', 'admin listener of the server')
        .env('SLUICE_ADMIN_URL')
        .default(DEFAULT_URL),
    )
    .addOption(new Option('--key <key>', 'API key with the scope admin').env('SLUICE_ADMIN_KEY'))
    .option('--json', 'print the answer as JSON');
}

export interface AdminAnswer {
  readonly [field: string]: unknown;
}

export class AdminClient {
  constructor(private readonly options: AdminOptions) {}

  get(path: string): Promise<AdminAnswer> {
    return this.ask('GET', path);
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AdminAnswer> {
    const response = await this.fetch(method, path, body, headers);
    const text = await response.text();
    const answer = parseAnswer(text);
    if (response.ok && answer !== undefined) return answer;
    throw refusal(response.status, `${method} ${path}`, text);
  }

  /** A recorded V2 body; `headLength` as the server said it. */
  async bytes(path: string): Promise<{ bytes: Buffer; headLength: string }> {
    const response = await this.fetch('GET', path, undefined, {});
    const bytes = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw refusal(response.status, `GET ${path}`, bytes.toString());
    return { bytes, headLength: response.headers.get('inference-header-content-length') ?? '' };
  }

  private async fetch(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const { admin, key } = this.options;
    try {
      return await fetch(new URL(path, admin), {
        method,
        headers: {
          ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw new CommandEnd(EXIT.unexpected, `no server answers at ${admin}: ${causeOf(error)}`);
    }
  }
}

function refusal(status: number, call: string, text: string): CommandEnd {
  const answer = parseAnswer(text);
  const told = typeof answer?.['error'] === 'string' ? answer['error'] : text.slice(0, 200);
  return new CommandEnd(status < 500 ? EXIT.usage : EXIT.unexpected, `${told} (${call}: ${status})`);
}

/** A path with its names encoded: pathOf`/models/${name}/rollout`. */
export function pathOf(texts: TemplateStringsArray, ...names: readonly string[]): string {
  return String.raw({ raw: texts }, ...names.map(encodeURIComponent));
}

function parseAnswer(text: string): AdminAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as AdminAnswer)
      : undefined;
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return String(cause);
  // A DOMException has a code, too, which is a number that says nothing to anybody.
  const code: unknown = (cause as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : cause.message;
}
