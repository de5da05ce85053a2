/**
 * The files of one page under one path of a listener. They are read once, at the start, into a table: what is not in the table
 * does not exist, so no path of a client ever reaches the disk.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Reply, RequestHandler } from '../core/exchange.js';
import { methodNotAllowed, notFound, replyAfterBody } from './routes.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, in no other page's frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = [
  ['cache-control', 'no-cache'],
  ['content-security-policy', POLICY],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
] as const;

export interface StaticPage {
  /** Begins and ends with a slash. */
  readonly path: string;
  /** Path to reply. */
  readonly replies: ReadonlyMap<string, Reply>;
}

/** The files of `folder` (not of folders inside it), and `more` files from elsewhere by their name on the page. */
export function readPage(
  path: string,
  folder: string,
  more: Readonly<Record<string, string>> = {},
): StaticPage {
  const replies = new Map<string, Reply>();
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const sources = [...files.map(({ name }) => [name, join(folder, name)] as const), ...Object.entries(more)];
  for (const [name, file] of sources) {
    const contentType = TYPES[extname(name)];
    if (contentType === undefined) continue;
    replies.set(path + name, {
      status: 200,
      contentType,
      headLength: 0,
      body: readFileSync(file),
      headers: HEADERS,
    });
  }
  const index = replies.get(`${path}index.html`);
  if (index === undefined) throw new Error(`expected index.html in ${folder}`);
  replies.set(path, index);
  const moved = {
    status: 308,
    contentType: 'text/plain',
    headLength: 0,
    body: '',
    headers: [['location', path]],
  } as const;
  return { path, replies: replies.set(path.slice(0, -1), moved) };
}

/** Answers for the page, and leaves everything else to `next`. */
export function withPage({ path, replies }: StaticPage, next: RequestHandler): RequestHandler {
  const bare = path.slice(0, -1);
  return (head, responder) => {
    if (!head.path.startsWith(bare)) return next(head, responder);
    const reply = replies.get(head.path);
    if (reply === undefined)
      return head.path.startsWith(path) ? replyAfterBody(head, responder, notFound()) : next(head, responder);
    const isRead = head.method === 'GET' || head.method === 'HEAD';
    return replyAfterBody(head, responder, isRead ? reply : methodNotAllowed('GET, HEAD'));
  };
}
