/**
 * The ceiling: raw uWebSockets.js that takes the whole body of a POST (or a binary WebSocket message) and answers fixed
 * bytes with the headers of a real reply, or the body itself where no reply is given. One event loop, nothing else.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as uws from 'uWebSockets.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    reply: { type: 'string' },
    'content-type': { type: 'string', default: 'application/octet-stream' },
    'head-length': { type: 'string', default: '' },
  },
});

const reply = values.reply === undefined ? null : readFileSync(values.reply);
const contentType = values['content-type'];
const headLength = values['head-length'];

function send(res, body) {
  res.cork(() => {
    res.writeHeader('content-type', contentType);
    if (headLength !== '') res.writeHeader('inference-header-content-length', headLength);
    res.end(body);
  });
}

function collect(res) {
  let parts = null;
  res.onAborted(() => {
    res.isAborted = true;
  });
  res.onData((chunk, isLast) => {
    if (isLast && parts === null) return send(res, reply ?? chunk);
    parts ??= [];
    parts.push(Buffer.from(Buffer.from(chunk)));
    if (isLast && !res.isAborted) send(res, reply ?? Buffer.concat(parts));
  });
}

uws
  .App()
  .ws('/*', {
    compression: uws.DISABLED,
    maxPayloadLength: 64 << 20,
    maxBackpressure: 64 << 20,
    message: (socket, message) => socket.send(reply ?? message, true),
  })
  .post('/*', collect)
  .get('/*', (res) => res.end('ok'))
  .listen('127.0.0.1', Number(values.port), (socket) => {
    if (!socket) throw new Error('cannot listen');
    console.log(`listening on http://127.0.0.1:${uws.us_socket_local_port(socket)}`);
  });
