#!/usr/bin/env node
// WebSockets that are open and silent, but for the pings that the server wants answered. Says "open" once all of them are, and
// ends with 1 when the server has ended one; to be killed.
// Usage: node bench/idle-sockets.mjs PORT COUNT
import { messageBytes, OPCODES, RawWs } from './raw-ws.mjs';

const AT_ONCE = 64;
const [port, count] = process.argv.slice(2).map(Number);
let begun = 0;

async function open() {
  while (begun < count) {
    begun += 1;
    const ws = await RawWs.open(port, {
      onFrame: (opcode, bytes) => opcode === OPCODES.PING && ws.send(messageBytes(bytes, OPCODES.PONG)),
      onEnd: () => process.exit(1),
    });
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, open));
console.log('open');
