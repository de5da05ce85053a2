/** Bundles of frames as a WebSocket's session takes and sends them. */
import t from 'tap';
import { FRAME_KINDS } from '../../src/engine/frame-facts.js';
import { bundleOf, requestFrame } from '../support/frames.js';
import { MESSAGE, request, setUp } from '../support/puppet-door.js';

t.test('a bundle is as many frames, and its answers leave as a bundle where they lie together', async (t) => {
  const { engine, admission, open, say } = setUp({ inFlight: 5 });
  const { socket, sink } = open();
  say(sink, { facts: [], bundle: [1, 2, 3, 4, 5, 6].map((id) => request(id)) });
  t.equal(engine.submissions.length, 5, 'the credit holds for each');
  t.equal(socket.last.error()?.id(), 6);
  t.equal(socket.last.error()?.name(), 'TOO_MANY_IN_FLIGHT');
  t.equal(admission.inFlightBytes, 5 * MESSAGE.byteLength);
  t.equal(engine.openBodies.size, 0);
  // As the addon lays them: 1 and 2 side by side, 3 elsewhere, 4 in memory of its own, 5 behind it by chance.
  const frames = [1, 2, 3, 4, 5].map((id) => requestFrame({ id, inputs: [] }));
  const memory = new Uint8Array(4096);
  const lie = (frame: Uint8Array, at: number) => {
    memory.set(bundleOf(frame).subarray(0, 16 + frame.length), at - 16);
    return memory.subarray(at, at + frame.length);
  };
  const second = 16 + Math.ceil(frames[0]!.length / 16) * 16 + 16;
  const answers: [number, Uint8Array][] = [
    [16, lie(frames[0]!, 16)],
    [second, lie(frames[1]!, second)],
    [2048, lie(frames[2]!, 2048)],
    [0, frames[3]!],
    [Math.ceil(frames[3]!.length / 16) * 16 + 16, frames[4]!],
  ];
  for (const [index, [place, bytes]] of answers.entries()) {
    engine.deliveredAt = place;
    engine.answer(engine.submissions[index]!, bytes);
  }
  engine.endDelivery();
  t.same(
    socket.writes.at(-1)?.map((frame) => frame.request()?.id()),
    [1, 2, 3, 4, 5],
  );
  t.same(socket.spreads.at(-1), [2, 1, 1, 1]);
});

t.test('who sent no bundle gets none', async (t) => {
  const { engine, open, say } = setUp();
  const { socket, sink } = open();
  for (const id of [1, 2]) say(sink, request(id));
  const memory = new Uint8Array(1024);
  const frames = [1, 2].map((id) => requestFrame({ id, inputs: [] }));
  memory.set(bundleOf(...frames));
  const places = [16, 16 + Math.ceil(frames[0]!.length / 16) * 16 + 16];
  for (const index of [0, 1]) {
    engine.deliveredAt = places[index]!;
    const { length } = frames[index]!;
    engine.answer(engine.submissions[index]!, memory.subarray(places[index]!, places[index]! + length));
  }
  engine.endDelivery();
  t.same(socket.spreads.at(-1), [1, 1]);
});

t.test('a frame that ends the socket takes the rest of its bundle with it', async (t) => {
  const { engine, admission, open, say } = setUp({ inFlight: 5 });
  const { socket, sink } = open();
  const breach = { facts: [FRAME_KINDS.OF_SERVER, 0, 0, 0, 0, 0] };
  const cancel = { facts: [FRAME_KINDS.CANCEL, 1, 0, 0, 0, 0] };
  say(sink, { facts: [], bundle: [request(1), breach, request(2), cancel, request(3)] });
  t.equal(socket.end?.code, 1008);
  t.equal(engine.submissions.length, 1);
  t.ok(engine.submissions[0]?.isCancelled);
  t.equal(engine.openBodies.size, 0, 'nothing of what came behind it is kept');
  engine.answer(engine.submissions[0]!, requestFrame({ id: 1, inputs: [] }));
  engine.endDelivery();
  t.equal(admission.inFlightRequests, 0);
});

t.test('a refusal that cannot be sent leaves nothing of its bundle behind', async (t) => {
  const { engine, open, say } = setUp({ inFlight: 1 });
  const { socket, sink } = open();
  socket.send = () => {
    throw new Error('no way out');
  };
  t.throws(() => {
    say(sink, { facts: [], bundle: [1, 2, 3, 4].map((id) => request(id)) });
  }, /no way out/);
  t.equal(socket.end?.code, 1011);
  t.equal(engine.submissions.length, 1);
  t.equal(engine.openBodies.size, 0);
});
