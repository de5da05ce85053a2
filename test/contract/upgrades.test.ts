/**
 * Requests that ask for another protocol, on a listener that has WebSockets: only those for the path of the WebSockets are
 * about them, and one that is refused leaves no connection behind.
 */
import t from 'tap';
import { connect } from 'node:net';
import { once } from 'node:events';
import type { SocketDoor } from '../../src/core/socket.js';
import { errorReply } from '../../src/serving/replies.js';
import { INFER, isError, setUp } from '../support/contract-rig.js';
import { ask, RawClient, requestBytes } from '../support/raw-http.js';

const REFUSING: SocketDoor = {
  path: '/v2/ws',
  longestMessageBytes: 1000,
  idleSeconds: 60,
  admit: () => ({ refusal: errorReply('FORBIDDEN', 'nobody may come in') }),
  open: () => {
    throw new Error('somebody came in');
  },
};

const H2C = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAoAAA' };
const WEB_SOCKET = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

for (const choice of ['uws', 'node'] as const) {
  t.test(`over ${choice}`, async (t) => {
    t.test('whoever would rather have HTTP/2 is served as everybody', async (t) => {
      const { port } = await setUp(t, choice, REFUSING);
      const client = await RawClient.open(port);
      client.write(requestBytes('GET', '/v2/health/live', undefined, H2C));
      t.equal((await client.reply())?.body.toString(), '{"live":true}');
      client.write(requestBytes('POST', INFER, '{"n":1}', { ...H2C, 'x-twice': 'a' }));
      t.equal((await client.reply())?.body.toString(), '{"n":1}', 'with a body, on the same connection');
      client.write(requestBytes('POST', INFER, '{"n":2}'));
      t.equal((await client.reply())?.body.toString(), '{"n":2}', 'which is in step');
      client.close();
    });

    t.test('a WebSocket anywhere else is a plain request', async (t) => {
      const { port } = await setUp(t, choice, REFUSING);
      const reply = await ask(port, 'GET', '/v2/health/live', undefined, WEB_SOCKET);
      t.equal(reply?.body.toString(), '{"live":true}');
      isError(t, await ask(port, 'GET', '/nowhere', undefined, WEB_SOCKET), 404, 'nowhere');
    });

    t.test('an upgrade that is refused gets its answer', async (t) => {
      const { port } = await setUp(t, choice, REFUSING);
      isError(t, await ask(port, 'GET', '/v2/ws', undefined, WEB_SOCKET), 403, 'the answer');
    });
  });
}

// The other library answers one request at a time, and ends connections that are silent by itself.
t.test('over node, what was asked before is answered before', async (t) => {
  const { port } = await setUp(t, 'node', REFUSING);
  const client = await RawClient.open(port);
  client.write(
    Buffer.concat([requestBytes('POST', INFER, '{"n":1}'), requestBytes('GET', '/v2/ws', undefined, H2C)]),
  );
  t.equal((await client.reply())?.body.toString(), '{"n":1}');
  isError(t, await client.reply(), 426, 'one after the other');
  client.close();
});

t.test('over node, the connection of a refused upgrade ends though its client keeps it', async (t) => {
  const { port } = await setUp(t, 'node', REFUSING);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.resume();
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(requestBytes('GET', '/v2/ws', undefined, WEB_SOCKET));
  await once(socket, 'end');
  // Its own side stays open; only a server that has closed as well says so.
  const talking = setInterval(() => socket.write('x'), 1);
  t.teardown(() => {
    clearInterval(talking);
  });
  await closed;
});
