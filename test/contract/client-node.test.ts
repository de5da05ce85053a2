/**
 * The client of Node over real sockets, against a scripted server: what it cannot open, what it sends when it opens, how it
 * comes back, and how it ends.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { connect, httpClient } from '../../src/client/node.js';
import { echoFrame, goodbyeFrame, helloFrame, PAIRS, readClientFrame } from '../support/server-frames.js';

const PAIR = { x: Float32Array.of(1, 2) };

/** A server that says hello; `onFrame` answers. */
async function scripted(
  t: Test,
  onSocket: (socket: WebSocket, headers: NodeJS.Dict<string | string[]>) => void,
): Promise<{ url: string; server: WebSocketServer }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket, request) => {
    socket.send(helloFrame({ models: [PAIRS] }));
    onSocket(socket, request.headers);
  });
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function echo(socket: WebSocket): void {
  socket.on('message', (bytes: Buffer) => {
    const frame = readClientFrame(bytes);
    if (frame.kind === 'request') socket.send(echoFrame(frame));
  });
}

t.test('asks, with the headers it was given, and without compression', async (t) => {
  let seen: NodeJS.Dict<string | string[]> = {};
  const { url } = await scripted(t, (socket, headers) => {
    seen = headers;
    echo(socket);
  });
  const client = await connect(url, { headers: { authorization: 'Bearer key' } });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => client.infer('m', { x: Float32Array.of(index, -index) })),
  );
  t.same(
    answers.map(({ outputs }) => [...(outputs['y']!.data as Float32Array)]),
    answers.map((_, index) => [index, -index]),
  );
  t.match(seen, { authorization: 'Bearer key', 'sec-websocket-extensions': undefined });
  client.close();
});

t.test('what cannot be opened is told with the reason', async (t) => {
  const refusing = createServer((_request, response) => response.writeHead(403).end());
  refusing.listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  const { port } = refusing.address() as AddressInfo;
  await t.rejects(connect(`ws://127.0.0.1:${port}`), { code: 'CONNECT_FAILED', message: /403/ });
  refusing.close();
  await once(refusing, 'close');
  await t.rejects(connect(`http://127.0.0.1:${port}`), { code: 'CONNECT_FAILED', message: /ECONNREFUSED/ });
});

t.test('a text message ends the connection; the next one serves', async (t) => {
  let sockets = 0;
  const { url } = await scripted(t, (socket) => {
    sockets += 1;
    if (sockets === 1) socket.on('message', () => socket.send('no frame'));
    else echo(socket);
  });
  const client = await connect(url);
  await t.rejects(client.infer('m', PAIR), { code: 'CONNECTION_LOST', cause: { code: 'BAD_ANSWER' } });
  t.ok(await client.infer('m', PAIR));
  client.close();
});

t.test('a server that goes: goodbye, answers, close; the client asks the next connection', async (t) => {
  let sockets = 0;
  const { url } = await scripted(t, (socket) => {
    sockets += 1;
    if (sockets > 1) {
      echo(socket);
      return;
    }
    socket.on('message', (bytes: Buffer) => {
      const frame = readClientFrame(bytes);
      socket.send(goodbyeFrame(1));
      if (frame.kind === 'request') socket.send(echoFrame(frame));
      socket.close(1001);
    });
  });
  const client = await connect(url);
  const results = await Promise.all([client.infer('m', PAIR), client.infer('m', PAIR, { idempotent: true })]);
  t.equal(results.length, 2);
  t.equal(sockets, 2);
  client.close();
});

t.test('a connection that is cut: what is idempotent is asked again', async (t) => {
  let sockets = 0;
  const { url } = await scripted(t, (socket) => {
    sockets += 1;
    if (sockets === 1) socket.on('message', () => socket.terminate());
    else echo(socket);
  });
  const client = await connect(url);
  const results = await Promise.allSettled([
    client.infer('m', PAIR),
    client.infer('m', PAIR, { idempotent: true }),
  ]);
  t.match(results, [
    { status: 'rejected', reason: { code: 'CONNECTION_LOST', mayHaveRun: true } },
    { status: 'fulfilled' },
  ]);
  client.close();
});

t.test('over HTTP: what is no answer, no server, and an abort', async (t) => {
  const replies: ((response: import('node:http').ServerResponse) => void)[] = [];
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === 'GET') {
      response.end(
        JSON.stringify({ name: 'm', inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }], outputs: [] }),
      );
    } else {
      replies.shift()!(response);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = httpClient(url, { maxInFlight: 1 });
  const ask = (reply: (typeof replies)[number], options = {}) => {
    replies.push(reply);
    return client.infer('m', PAIR, options);
  };
  const output = { name: 'y', datatype: 'FP32', shape: [1, 2], parameters: { binary_data_size: 8 } };
  const answer = (head: object, length?: number) => (response: import('node:http').ServerResponse) => {
    const text = JSON.stringify(head);
    response.setHeader('inference-header-content-length', length ?? text.length);
    response.end(Buffer.concat([Buffer.from(text), Buffer.from(Float32Array.of(3, 4).buffer)]));
  };
  t.same((await ask(answer({ outputs: [output] }))).outputs['y']?.data, Float32Array.of(3, 4));
  await t.rejects(ask(answer({ outputs: [output] }, 9999)), { code: 'BAD_ANSWER' });
  await t.rejects(ask(answer({ outputs: [output, output] })), { code: 'BAD_ANSWER' });
  await t.rejects(ask(answer({ outputs: [{ ...output, shape: [3] }] })), { code: 'BAD_ANSWER' });
  await t.rejects(ask(answer({ outputs: [{ ...output, datatype: 'FP31' }] })), { code: 'BAD_ANSWER' });
  await t.rejects(
    ask((response) => response.end('not JSON')),
    { code: 'BAD_ANSWER' },
  );
  await t.rejects(
    ask((response) => response.writeHead(503, { 'retry-after': '2' }).end('{"error":"later"}')),
    { code: 'NOT_READY', message: 'later', retryAfterMs: 2000, mayHaveRun: false },
  );
  await t.rejects(
    ask((response) => response.destroy()),
    { code: 'CONNECTION_LOST', mayHaveRun: true },
  );
  const half = (response: import('node:http').ServerResponse): void => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{', () => response.destroy());
  };
  await t.rejects(ask(half), { code: 'CONNECTION_LOST', mayHaveRun: true }, 'in the middle of the answer');
  replies.push(half);
  t.ok(await ask(answer({ outputs: [output] }), { idempotent: true }), 'asked again in the middle of one');
  t.ok(await ask(answer({ outputs: [output] }), { deadlineMs: 2 ** 40 }), 'a deadline in many years');
  await t.rejects(ask(answer({}), { deadlineMs: NaN }), { code: 'BAD_REQUEST' });
  replies.length = 0;
  t.throws(() => httpClient(url, { maxInFlight: 0 }), { code: 'BAD_REQUEST' });
  replies.push((response) => response.destroy());
  t.ok(await ask(answer({ outputs: [output] }), { idempotent: true }), 'asked again');

  const held: import('node:http').ServerResponse[] = [];
  const abort = new AbortController();
  const reason = new Error('enough');
  const first = ask((response) => void held.push(response), { signal: abort.signal });
  const second = ask((response) => void held.push(response), { deadlineMs: 30 });
  await t.rejects(second, { code: 'DEADLINE_PASSED' }, 'while it waited for its turn');
  abort.abort(reason);
  await t.rejects(first, reason);
  await client.ready();
  replies.length = 0;
  const last = ask((response) => void held.push(response));
  client.close();
  await t.rejects(last, { code: 'CLOSED' });
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await t.rejects(httpClient(url).infer('m', PAIR), { code: 'CONNECTION_LOST' });
});
