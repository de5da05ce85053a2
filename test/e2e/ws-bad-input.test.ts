/**
 * What a WebSocket client can do wrong, against a real server over both transports: each is answered by a typed error or a
 * close code, nothing that was beside the message comes back, and a known answer is given on another socket throughout.
 * MUTANTS in the environment makes the mutant hunt as long as one likes.
 */
import t, { type Test } from 'tap';
import { seededRandom } from '../../scripts/models/random.mjs';
import { DataType } from '../../src/wire/generated/data-type.js';
import { bundleOf, cancelFrame, readFrame, requestFrame } from '../support/frames.js';
import { OPCODES, RawWs, wsFrame } from '../support/raw-ws.js';
import { linkedRepository, startTestServer } from '../support/running.js';
import { fp32 } from '../support/v2-wire.js';
import { WsClient } from '../support/ws-client.js';

const MUTANTS = Number(process.env['MUTANTS'] ?? 400);
const LIMIT = 4096;
/** Lies in the memory that messages pass through, and must never be seen in an answer. */
const CANARY = Buffer.from('c4n4ry-c4n4ry-c4n4ry-c4n4ry-c4n4');

const VALUES = [0.5, -1.5, 3.25, 1024];
const GOOD = requestFrame({
  id: 7,
  model: 'identity_fp32',
  inputs: [{ name: 'INPUT0', datatype: DataType.FP32, shape: [2, 2], data: fp32(...VALUES) }],
  outputs: [0],
});

/** A socket that asks something with a known answer, after filling the server's buffers with the canary. */
class Witness {
  private constructor(private readonly client: WsClient) {}

  static async open(port: number): Promise<Witness> {
    const client = await WsClient.open(port);
    await client.frame();
    return new Witness(client);
  }

  async check(t: Test, what: string): Promise<void> {
    const data = Buffer.concat([CANARY, CANARY, CANARY, CANARY]);
    const inputs = [{ datatype: DataType.UINT8, shape: [1, data.length], data }];
    this.client.send(requestFrame({ id: 1, model: 'identity_uint8', inputs }));
    const answer = (await this.client.frame()).response()?.outputs(0)?.dataArray();
    if (answer === undefined || answer === null || !data.equals(answer)) t.fail(`the witness: ${what}`);
  }

  close(): void {
    this.client.close();
  }
}

/** The same mutants in every run. */
function seeded(seed: number): (below: number) => number {
  const next = seededRandom(seed);
  return (below) => Math.floor(next() * below);
}

function mutant(random: (below: number) => number): Uint8Array {
  const bytes = new Uint8Array(GOOD);
  for (let count = 1 + random(3); count > 0; count -= 1) {
    const at = random(bytes.length);
    const kind = random(4);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes[at]! ^= 1 << random(8);
    else if (kind === 2) bytes[at] = [0, 1, 127, 128, 255][random(5)]!;
    else bytes.copyWithin(at, random(bytes.length), Math.min(bytes.length, at + 1 + random(8)));
  }
  return bytes;
}

for (const transport of ['uws', 'node'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const repository = linkedRepository(t, ['identity_fp32', 'identity_uint8']);
    const flags = { transport, wsMessageBytes: LIMIT };
    const { server, lines } = await startTestServer(t, repository, flags);
    const witness = await Witness.open(server.port);
    const send = async (...bytes: Uint8Array[]): Promise<RawWs> => {
      const client = await RawWs.open(server.port);
      await client.frame();
      client.write(...bytes);
      return client;
    };
    const closes = async (t: Test, what: string, codes: number[], ...bytes: Uint8Array[]): Promise<void> => {
      const code = await (await send(...bytes)).closeCode();
      t.ok(codes.includes(code), `${what}: ${code}`);
      await witness.check(t, what);
    };
    const answers = async (t: Test, what: string, ...bytes: Uint8Array[]): Promise<void> => {
      const client = await send(...bytes);
      for (;;) {
        const frame = await client.frame();
        if (frame?.opcode === OPCODES.PONG) continue;
        const data = frame && readFrame(frame.bytes).response()?.outputs(0)?.dataArray();
        t.ok(data && fp32(...VALUES).equals(data), what);
        break;
      }
      client.close();
      await witness.check(t, what);
    };

    t.test('compression is offered and not taken', async (t) => {
      const client = await RawWs.open(server.port);
      t.notMatch(client.head?.toString('latin1').toLowerCase(), /sec-websocket-extensions/);
      client.close();
    });

    t.test('what is allowed works: fragments, a ping between them, one byte at a time', async (t) => {
      const [a, b, c] = [GOOD.subarray(0, 1), GOOD.subarray(1, 100), GOOD.subarray(100)];
      await answers(t, 'one frame', wsFrame(GOOD));
      await answers(
        t,
        'three fragments and a ping',
        wsFrame(a, { isLast: false }),
        wsFrame(b, { isLast: false, opcode: OPCODES.CONTINUATION }),
        wsFrame(CANARY.subarray(0, 4), { opcode: OPCODES.PING }),
        wsFrame(c, { opcode: OPCODES.CONTINUATION }),
      );
      await answers(
        t,
        'an empty fragment',
        wsFrame(new Uint8Array(0), { isLast: false }),
        wsFrame(GOOD, { opcode: OPCODES.CONTINUATION }),
      );
    });

    t.test('a bundle that is not whole, or too full, is refused as one', async (t) => {
      const three = bundleOf(GOOD, GOOD, GOOD);
      for (const length of [17, 40, three.length / 3 + 1, three.length / 3 + 16, three.length - 17])
        await closes(t, `cut at ${length}`, [1007], wsFrame(three.subarray(0, length)));
      const claims = Buffer.from(three);
      claims.writeUInt32LE(0xffff_fff0, 0);
      await closes(t, 'a length beyond the end', [1007], wsFrame(claims));
      await closes(t, 'bytes that are no frame', [1007], wsFrame(bundleOf(GOOD, CANARY)));
      await closes(t, 'no bytes', [1007], wsFrame(bundleOf(GOOD, new Uint8Array(0))));
      await closes(t, 'a bundle in a bundle', [1007], wsFrame(bundleOf(bundleOf(GOOD))));
      const cancels = Array.from({ length: 80 }, () => cancelFrame(1));
      await closes(t, 'too long', [1009], wsFrame(bundleOf(...cancels)));
      await answers(t, 'what is right', wsFrame(bundleOf(cancelFrame(1), GOOD)));
    });

    t.test('broken framing ends the connection', async (t) => {
      const broken = [1002, 1006];
      for (const reserved of [0x40, 0x20, 0x10])
        await closes(t, `RSV ${reserved}`, broken, wsFrame(GOOD, { reserved }));
      await closes(t, 'an unknown opcode', broken, wsFrame(GOOD, { opcode: 3 }));
      await closes(
        t,
        'a fragmented ping',
        broken,
        wsFrame(CANARY.subarray(0, 4), { opcode: OPCODES.PING, isLast: false }),
      );
      await closes(t, 'a long ping', broken, wsFrame(new Uint8Array(126), { opcode: OPCODES.PING }));
      await closes(t, 'a continuation of nothing', broken, wsFrame(GOOD, { opcode: OPCODES.CONTINUATION }));
    });

    t.test('text, frames of the server and noise are refused with their codes', async (t) => {
      await closes(t, 'a text message', [1003], wsFrame(Buffer.from('hello'), { opcode: OPCODES.TEXT }));
      await closes(t, 'nothing', [1007], wsFrame(new Uint8Array(0)));
      await closes(t, 'noise', [1007], wsFrame(new Uint8Array(256).fill(0xff)));
      const first = await RawWs.open(server.port);
      const hello = await first.frame();
      first.close();
      await closes(t, 'a hello', [1008], wsFrame(hello!.bytes));
    });

    t.test('a message of the limit is read, one byte more is 1009, far more ends', async (t) => {
      const padded = (bytes: number): Buffer => Buffer.concat([GOOD, Buffer.alloc(bytes - GOOD.length)]);
      await answers(t, 'the limit', wsFrame(padded(LIMIT)));
      await closes(t, 'one byte over', [1009], wsFrame(padded(LIMIT + 1)));
      await closes(
        t,
        'one byte over in fragments',
        [1009],
        wsFrame(padded(LIMIT), { isLast: false }),
        wsFrame(new Uint8Array(1), { opcode: OPCODES.CONTINUATION }),
      );
      await closes(t, 'a claim of 2 GiB', [1006, 1009], wsFrame(GOOD, { claimedBytes: 2 ** 31 }));
      await closes(t, 'a claim of 2^52', [1002, 1006, 1009], wsFrame(GOOD, { claimedBytes: 2 ** 52 }));
    });

    t.test('a close in the middle of anything leaves nothing behind', async (t) => {
      const whole = wsFrame(GOOD);
      for (let length = 0; length < whole.length; length += 9) {
        const client = await send(whole.subarray(0, length));
        if (length % 2 === 0) client.socket.resetAndDestroy();
        else client.close();
      }
      for (const message of [wsFrame(GOOD), Buffer.concat([wsFrame(GOOD), wsFrame(GOOD)])]) {
        const client = await send(message);
        client.socket.resetAndDestroy();
      }
      await witness.check(t, 'closes in the middle');
      t.pass('alive');
    });

    t.test('every truncation is a typed error, an answer, or 1007', async (t) => {
      for (let length = 0; length < GOOD.length; length += transport === 'uws' ? 1 : 7) {
        const client = await send(wsFrame(GOOD.subarray(0, length)));
        const frame = await client.frame();
        if (frame?.opcode === OPCODES.CLOSE) {
          if (frame.bytes.readUInt16BE(0) !== 1007) t.fail(`${length}: ${frame.bytes.readUInt16BE(0)}`);
        } else if (frame === undefined || frame.opcode !== OPCODES.BINARY) {
          t.fail(`${length}: ended without a word`);
        }
        client.close();
      }
      await witness.check(t, 'truncations');
      t.pass(`${GOOD.length} truncations`);
    });

    t.test(`${MUTANTS} mutants are typed errors, answers, or 1007, and hold no foreign bytes`, async (t) => {
      const random = seeded(transport === 'uws' ? 1 : 2);
      let client = await send();
      const verdicts = { answered: 0, error: 0, ignored: 0, closed: 0 };
      for (let count = 0; count < MUTANTS; count += 1) {
        // The request behind it tells that the mutant was dealt with, even where it is a cancel that has no answer.
        client.write(
          wsFrame(mutant(random)),
          wsFrame(requestFrame({ id: 4_000_000_000, model: 'nobody', inputs: [] })),
        );
        for (let isOver = false; !isOver;) {
          const frame = await client.frame();
          if (frame?.bytes.includes(CANARY.subarray(0, 6)))
            t.fail(`mutant ${count} came back with foreign bytes`);
          const read = frame?.opcode === OPCODES.BINARY ? readFrame(frame.bytes) : undefined;
          const error = read?.error();
          if (frame?.opcode === OPCODES.CLOSE || frame === undefined) {
            const code = frame === undefined ? 1006 : frame.bytes.readUInt16BE(0);
            if (code !== 1007 && code !== 1008) t.fail(`mutant ${count} was closed with ${code}`);
            verdicts.closed += 1;
            client.close();
            client = await send();
            isOver = true;
          } else if (error?.id() === 4_000_000_000 && error.name() === 'MODEL_NOT_FOUND') {
            isOver = true;
          } else if (error !== null && error !== undefined) {
            verdicts.error += 1;
          } else if (read?.response() !== null) {
            verdicts.answered += 1;
          }
        }
        if (count % 100 === 0) await witness.check(t, `mutant ${count}`);
      }
      verdicts.ignored = MUTANTS - verdicts.answered - verdicts.error - verdicts.closed;
      t.comment(`mutants over ${transport}: ${JSON.stringify(verdicts)}`);
      t.ok(verdicts.answered > 0 && verdicts.error > 0 && verdicts.closed > 0, 'all kinds were seen');
      client.close();
      await witness.check(t, 'after the mutants');
    });

    t.test('nothing went wrong inside', async (t) => {
      witness.close();
      t.same(
        lines.filter((line) => line.level === 'error'),
        [],
      );
    });
  });
}
