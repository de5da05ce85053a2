/**
 * The ceiling: raw uWebSockets.js that takes the whole body of a POST (or a binary WebSocket message) and answers fixed
 * bytes with the headers of a real reply, or the body itself where no reply is given. One event loop, nothing else. With
 * --stall-ms the loop stops for that long once a second: a server whose latency is known on paper.
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
    'stall-ms': { type: 'string', default: '0' },
  },
});

const reply = values.reply === undefined ? null : readFileSync(values.reply);
const contentType = values['content-type'];
const headLength = values['head-length'];

const STALL_EVERY_MS = 1000;

/** By absolute times, so that the stalls do not drift. */
function stallFrom(atMs, stallMs) {
  setTimeout(
    () => {
      while (performance.now() < atMs);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, atMs + stallMs - performance.now());
      stallFrom(atMs + STALL_EVERY_MS, stallMs);
    },
    atMs - performance.now() - 1,
  );
}

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
if (Number(values['stall-ms']) > 0) stallFrom(performance.now() + 500, Number(values['stall-ms']));
