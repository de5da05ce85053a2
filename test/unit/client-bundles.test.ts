/** What the client makes of a server that takes bundles of frames, over sockets that move only when told. */
import t from 'tap';
import { bundleOf } from '../support/frames.js';
import { openClient } from '../support/puppet-socket.js';
import { echoFrame, goodbyeFrame, PAIRS } from '../support/server-frames.js';

const PAIR = { x: Float32Array.of(1, 2) };

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => value,
    (error: unknown) => error,
  );
}

const BUNDLES = { models: [PAIRS], maxBundleFrames: 3 };

t.test('to a server that takes bundles, the calls of one turn are one message', async (t) => {
  const { client, socket } = await openClient({}, BUNDLES);
  const call = (value: number) => client.infer('m', { x: Float32Array.of(value, value) });
  const calls = [1, 2, 3].map(call);
  t.same(socket.sent, [], 'nothing leaves before the turn is over');
  calls.push(call(4));
  t.equal(socket.sent.length, 1, 'or the bundle full');
  await Promise.resolve();
  const messages = socket.takeMessages();
  t.same(
    messages.map((frames) => frames.map(({ id }) => id)),
    [[1, 2, 3], [4]],
  );
  const requests = messages.flat() as Parameters<typeof echoFrame>[0][];
  const [one, two, three, four] = requests.map((request) => echoFrame(request));
  socket.arrive(bundleOf(two!, one!, four!));
  socket.arrive(three!);
  const answers = await Promise.all(calls);
  t.same(
    answers.map(({ outputs }) => outputs['y']!.data),
    [1, 2, 3, 4].map((value) => Float32Array.of(value, value)),
  );
  const memories = new Set(answers.map(({ outputs }) => (outputs['y']!.data as Float32Array).buffer));
  t.equal(memories.size, 4, 'no answer shares its memory');
  client.close();
});

t.test('a cancel follows its request, and a long request goes alone, all in their order', async (t) => {
  const { client, socket } = await openClient({}, { ...BUNDLES, maxBundleFrames: 100 });
  const abort = new AbortController();
  const given = outcome(client.infer('m', PAIR, { signal: abort.signal }));
  abort.abort();
  const long = outcome(client.infer('m', { x: new Float32Array(10_000) }, { shape: { x: [5000, 2] } }));
  const last = outcome(client.infer('m', PAIR));
  await Promise.resolve();
  t.same(
    socket.takeMessages().map((frames) => frames.map(({ kind, id }) => `${kind} ${id}`)),
    [['request 1', 'cancel 1'], ['request 2'], ['request 3']],
  );
  client.close();
  t.match(await Promise.all([given, long, last]), [
    { name: 'AbortError' },
    { code: 'CLOSED' },
    { code: 'CLOSED' },
  ]);
});

t.test('what waits to leave when the client is closed does not leave', async (t) => {
  const { client, socket } = await openClient({}, BUNDLES);
  const call = outcome(client.infer('m', PAIR));
  client.close();
  await Promise.resolve();
  t.same(socket.sent, []);
  t.match(await call, { code: 'CLOSED' });
});

t.test('a bundle that does not add up is a bad answer; what is behind a goodbye is heard', async (t) => {
  const { client, socket, around } = await openClient({}, BUNDLES);
  const calls = [1, 2].map(() => outcome(client.infer('m', PAIR, { idempotent: false })));
  await Promise.resolve();
  const [one] = socket.takeRequests();
  socket.arrive(bundleOf(goodbyeFrame(), echoFrame(one!)));
  t.match(await calls[0], { model: 'm' });
  const broken = bundleOf(echoFrame(one!));
  broken.writeUInt32LE(broken.length, 0);
  socket.arrive(broken);
  t.match(await calls[1], { code: 'CONNECTION_LOST', cause: { code: 'BAD_ANSWER' } });
  t.ok(around.sockets.length > 0);
  client.close();
});
