/**
 * What every transport must do, over bare sockets: routes, methods, statuses, headers, connections, stopping. The same
 * suite runs over uWebSockets.js and over node:http; the few differences that are a library's own are written down.
 */
import t from 'tap';
import type { Responder } from '../../src/core/exchange.js';
import { chooseTransport } from '../../src/transport/choose.js';
import { checkAlive, eventually, INFER, isError, setUp } from '../support/contract-rig.js';
import { modelEntry, snapshotOf, versionEntry } from '../support/puppet-snapshot.js';
import { ask, RawClient, requestBytes } from '../support/raw-http.js';

for (const choice of ['uws', 'node'] as const) {
  t.test(`over ${choice}`, async (t) => {
    t.test('routes', async (t) => {
      const rig = await setUp(t, choice);
      const { port } = rig;
      for (const [path, expected] of [
        ['/v2', { name: 'sluice', version: '1.2.3', extensions: ['binary_tensor_data'] }],
        ['/v2/', { name: 'sluice' }],
        ['/v2?x=1', { name: 'sluice' }],
        ['/v2/health/live', { live: true }],
        ['/v2/health/ready', { ready: true }],
        ['/v2/models', { models: ['m', 'a b'] }],
        ['/v2/models/m/ready', { name: 'm', ready: true }],
        ['/v2/models/m/versions/1/ready', { name: 'm', ready: true }],
        ['/v2/models/a%20b', { name: 'a b', versions: ['1'] }],
        ['/v2/models/%6D', { name: 'm' }],
        ['/v2/models/m/versions/02', { name: 'm', versions: ['2'] }],
      ] as const) {
        const reply = await ask(port, 'GET', path);
        t.equal(reply?.status, 200, path);
        t.equal(reply?.headers['content-type'], 'application/json', path);
        t.match(JSON.parse(reply!.body.toString()), expected, path);
      }
      t.same(JSON.parse((await ask(port, 'GET', '/v2/models/m'))!.body.toString()), {
        name: 'm',
        versions: ['1', '2', '10'],
        platform: 'onnxruntime_onnx',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
      });
      for (const [path, handle] of [
        [INFER, 20],
        ['/v2/models/m/versions/1/infer', 11],
        ['/v2/models/m/versions/002/infer?a=b', 12],
        ['/v2/models/a%20b/infer', 30],
      ] as const) {
        for (const text of ['{"n":1}', '{"n":2}']) {
          const reply = await ask(port, 'POST', path, text);
          t.equal(reply?.body.toString(), text, path);
          t.equal(rig.engine.submissions.at(-1)?.handle, handle, path);
        }
      }
    });

    t.test('a path that came before is taken the same way, and its neighbours too', async (t) => {
      const rig = await setUp(t, choice);
      const { port } = rig;
      const versioned = '/v2/models/m/versions/1/infer';
      for (let round = 0; round < 3; round += 1) {
        for (const [path, handle] of [
          [INFER, 20],
          [`${INFER}?n=${round}`, 20],
          [versioned, 11],
        ] as const) {
          const text = `{"n":${round}}`;
          const reply = await ask(port, 'POST', path, text, { 'sluice-deadline-ms': '5000' });
          t.equal(reply?.body.toString(), text, path);
          t.equal(rig.engine.submissions.at(-1)?.handle, handle, path);
        }
        for (const [method, path, status] of [
          ['GET', INFER, 405],
          ['PUT', versioned, 405],
          ['POST', `${INFER}/`, 404],
          ['POST', `${INFER}/more`, 404],
          ['POST', '/v2/models/m/versions/77/infer', 404],
          ['POST', '/v2/models/:m/infer', 404],
          ['POST', '/v2/models/*/infer', 404],
        ] as const) {
          t.equal((await ask(port, method, path, '{}'))?.status, status, `${method} ${path}`);
        }
      }
    });

    t.test('HEAD answers like GET, without the body', async (t) => {
      const rig = await setUp(t, choice);
      for (const [path, status] of [
        ['/v2/health/live', 200],
        ['/v2/models/m', 200],
        ['/v2/models/nobody', 404],
        ['/nowhere', 404],
        [INFER, 405],
      ] as const) {
        const client = await RawClient.open(rig.port);
        client.write(requestBytes('HEAD', path));
        const head = await client.reply(true);
        t.equal(head?.status, status, path);
        t.ok(Number(head?.headers['content-length']) > 0, path);
        client.write(requestBytes('GET', '/v2/health/live'));
        t.equal((await client.reply())?.body.toString(), '{"live":true}', 'the connection is in step');
        client.close();
      }
    });

    t.test('unknown paths are 404', async (t) => {
      const rig = await setUp(t, choice);
      for (const path of [
        '/',
        '/v1',
        '/v2/health',
        '/v2/health/live/',
        '/v2/models/',
        '/v2/models//infer',
        '/v2/models/m/',
        '/v2/models/m/Infer',
        '/v2/models/m/infer/',
        '/v2/models/m/infer/x',
        '/v2/models/m/versions',
        '/v2/models/m/versions//infer',
        '/v2/models/a%2Fb',
        '/v2/models/%2e%2e/infer',
        '/v2/models/../infer',
        '/v2/models/%00',
        '/v2/models/%zz',
        '/v2/models/%c3%28',
        '/metrics',
        '/V2',
      ]) {
        isError(t, await ask(rig.port, 'GET', path), 404, path);
        isError(t, await ask(rig.port, 'POST', path, '{}'), 404, path);
      }
      for (const path of [
        '/v2/models/nobody',
        '/v2/models/nobody/ready',
        '/v2/models/m/versions/3',
        '/v2/models/m/versions/x/ready',
        '/v2/models/__proto__',
        '/v2/models/constructor',
      ]) {
        isError(t, await ask(rig.port, 'GET', path), 404, path);
      }
      for (const path of [
        '/v2/models/nobody/infer',
        '/v2/models/m/versions/3/infer',
        '/v2/models/__proto__/infer',
      ]) {
        isError(t, await ask(rig.port, 'POST', path, 'garbage'), 404, path);
      }
      await checkAlive(t, rig);
    });

    t.test('a wrong method is 405 and says which are right', async (t) => {
      const rig = await setUp(t, choice);
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const reply = await ask(rig.port, method, INFER, method === 'GET' ? undefined : '{}');
        isError(t, reply, 405, `${method} infer`);
        t.equal(reply?.headers['allow'], 'POST');
      }
      for (const path of [
        '/v2',
        '/v2/health/live',
        '/v2/health/ready',
        '/v2/models',
        '/v2/models/m',
        '/v2/models/m/ready',
      ]) {
        for (const method of ['POST', 'PUT', 'DELETE']) {
          const reply = await ask(rig.port, method, path, '{}');
          isError(t, reply, 405, `${method} ${path}`);
          t.equal(reply?.headers['allow'], 'GET, HEAD');
        }
      }
      await checkAlive(t, rig);
    });

    t.test('readiness', async (t) => {
      const rig = await setUp(t, choice);
      rig.readiness.isLoaded = false;
      isError(t, await ask(rig.port, 'GET', '/v2/health/ready'), 503, 'not started');
      t.equal((await ask(rig.port, 'GET', '/v2/health/live'))?.status, 200);
      rig.readiness.isLoaded = true;
      rig.models.snapshot = snapshotOf(modelEntry('m', [versionEntry('m', '1', 1, 'REJECTED')]));
      isError(t, await ask(rig.port, 'GET', '/v2/health/ready'), 503, 'rejected');
      isError(t, await ask(rig.port, 'GET', '/v2/models/m/ready'), 503, 'rejected');
      isError(t, await ask(rig.port, 'GET', '/v2/models/m'), 503, 'rejected');
      isError(t, await ask(rig.port, 'POST', INFER, '{}'), 503, 'rejected');
      rig.models.snapshot = snapshotOf(modelEntry('m', [versionEntry('m', '1', 1)]));
      t.equal((await ask(rig.port, 'GET', '/v2/health/ready'))?.status, 200);
      rig.readiness.isStopping = true;
      isError(t, await ask(rig.port, 'GET', '/v2/health/ready'), 503, 'stopping');
      t.equal((await ask(rig.port, 'GET', '/v2/health/live'))?.status, 200);
    });

    t.test('headers', async (t) => {
      const rig = await setUp(t, choice);
      const { port, engine } = rig;
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'nonsense', '']) {
        t.equal(
          (await ask(port, 'POST', INFER, '{}', { 'content-type': type }))?.status,
          200,
          `content-type ${type}`,
        );
      }
      for (const encoding of ['gzip', 'deflate', 'br', 'identity, gzip']) {
        const reply = await ask(port, 'POST', INFER, '{}', { 'content-encoding': encoding });
        isError(t, reply, 415, encoding);
        t.equal(reply?.headers['accept-encoding'], 'identity');
      }
      await ask(port, 'POST', INFER, '{}abc', { 'INFERENCE-HEADER-Content-Length': '2' });
      t.equal(engine.submissions.at(-1)?.headLength, 2);
      await ask(port, 'POST', INFER, '{}');
      t.equal(engine.submissions.at(-1)?.headLength, -1);
      for (const text of ['-1', '0x2', '2.0', '1e1', 'two', '2147483648', '99999999999999999999']) {
        const reply = await ask(port, 'POST', INFER, '{}', { 'inference-header-content-length': text });
        isError(t, reply, 400, text);
      }
      t.equal(
        (await ask(port, 'GET', '/v2', undefined, { 'x-token': 'x'.repeat(6000) }))?.status,
        200,
        '6 KB head',
      );
      t.equal((await ask(port, 'GET', '/v2', undefined, { 'x-token': 'x'.repeat(40_000) }))?.status, 431);
      await checkAlive(t, rig);
    });

    t.test('replies with binary tensors', async (t) => {
      const rig = await setUp(t, choice);
      rig.engine.echoes = false;
      const answer = ask(rig.port, 'POST', INFER, '{}');
      await rig.engine.submitted(1);
      const bytes = Buffer.concat([Buffer.from('{"é":1}'), Buffer.from([0, 255, 10, 13])]);
      rig.engine.answer(rig.engine.submissions[0]!, bytes, 8);
      const reply = await answer;
      t.match(reply?.headers, {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': '8',
        'content-length': '12',
      });
      t.same(reply?.body, bytes);
      const failing = ask(rig.port, 'POST', INFER, '{}');
      await rig.engine.submitted(2);
      rig.engine.fail(rig.engine.submissions[1]!, 'RUN_FAILED', 'é');
      isError(t, await failing, 500, 'a failed run');
    });

    t.test('bytes of a reply are used before send returns', async (t) => {
      const rig = await setUp(t, choice);
      rig.engine.echoes = false;
      const answer = ask(rig.port, 'POST', INFER, '{}');
      await rig.engine.submitted(1);
      const bytes = Buffer.alloc(3_000_000, 'a');
      rig.engine.answer(rig.engine.submissions[0]!, bytes);
      bytes.fill('b');
      const reply = await answer;
      t.ok(reply?.body.equals(Buffer.alloc(3_000_000, 'a')));
    });

    t.test('a reply that may be kept is written from where it lies, and released once', async (t) => {
      const rig = await setUp(t, choice);
      rig.engine.echoes = false;
      const whole = Buffer.from(Uint32Array.from({ length: 1_500_000 }, (_, at) => at).buffer);
      let released = 0;
      for (const leaves of [false, true, false]) {
        const client = await RawClient.open(rig.port);
        const before = rig.engine.submissions.length;
        client.write(requestBytes('POST', INFER, '{}'));
        await rig.engine.submitted(before + 1);
        const bytes = Uint8Array.from(whole);
        rig.engine.release = () => {
          released += 1;
          bytes.fill(0);
        };
        client.socket.pause();
        rig.engine.answer(rig.engine.submissions[before]!, bytes);
        t.equal(released, 0, 'nobody has read it yet');
        if (leaves) client.reset();
        else client.socket.resume();
        const reply = await client.reply();
        t.equal(reply?.body.equals(whole), leaves ? undefined : true);
        client.close();
        // Over node:http the socket may hold the bytes longer than anybody tells: the collector frees them.
        if (choice === 'uws') await eventually(() => released === 1);
        t.equal(released, choice === 'uws' ? 1 : 0);
        released = 0;
      }
      rig.engine.release = undefined;
      rig.engine.echoes = true;
      await checkAlive(t, rig);
    });

    t.test(
      'a reply in pieces comes whole, however slowly it is read, and ends where the client goes',
      async (t) => {
        const faults: unknown[] = [];
        const log = { warn: () => undefined, error: (fields: object) => faults.push(fields) };
        const transport = await chooseTransport(choice, log);
        const more = Array.from({ length: 200 }, (_, at) => Buffer.alloc(60_000 + at, at));
        const body = Buffer.from('first');
        const whole = Buffer.concat([body, ...more]);
        const listening = await transport.listen('127.0.0.1', 0, (head, responder) => {
          const last = head.path === '/short' ? [] : more;
          responder.send({ status: 200, contentType: 'text/plain', headLength: 0, body, more: last });
          return null;
        });
        t.teardown(() => {
          listening.close();
        });
        const client = await RawClient.open(listening.port);
        for (let round = 0; round < 2; round += 1) {
          client.write(requestBytes('GET', '/'));
          // The socket takes what it has room for, and the rest waits for the reader.
          client.socket.pause();
          setTimeout(() => client.socket.resume(), 20);
          const reply = await client.reply();
          t.equal(reply?.headers['content-length'], String(whole.byteLength));
          t.ok(reply?.body.equals(whole), 'every byte in its place');
        }
        client.write(requestBytes('GET', '/short'));
        t.equal((await client.reply())?.body.toString(), 'first', 'and the connection is in step');
        client.write(requestBytes('HEAD', '/'));
        t.equal((await client.reply(true))?.headers['content-length'], String(whole.byteLength));
        client.close();
        for (let round = 0; round < 5; round += 1) {
          const leaving = await RawClient.open(listening.port);
          leaving.write(requestBytes('GET', '/'));
          leaving.socket.once('data', () => leaving.reset());
          await leaving.closed();
        }
        t.equal((await ask(listening.port, 'GET', '/short'))?.body.toString(), 'first', 'alive');
        t.same(faults, []);
      },
    );

    t.test('keep-alive, and requests that do not wait for their turn', async (t) => {
      const rig = await setUp(t, choice);
      const client = await RawClient.open(rig.port);
      for (let index = 0; index < 100; index += 1) {
        client.write(requestBytes('POST', INFER, `{"n":${index}}`));
        t.equal((await client.reply())?.body.toString(), `{"n":${index}}`);
      }
      client.close();

      const hasty = await RawClient.open(rig.port);
      hasty.write(Buffer.concat([requestBytes('POST', INFER, '1'), requestBytes('POST', INFER, '2')]));
      if (choice === 'node') {
        t.equal((await hasty.reply())?.body.toString(), '1');
        t.equal((await hasty.reply())?.body.toString(), '2');
      } else {
        // The library closes a connection on which a request comes while another waits for its answer.
        t.equal(await hasty.reply(), undefined, 'closed without a reply');
      }
      hasty.close();
      const reads = await RawClient.open(rig.port);
      reads.write(
        Buffer.concat([requestBytes('GET', '/v2/health/live'), requestBytes('GET', '/v2/health/ready')]),
      );
      t.equal((await reads.reply())?.body.toString(), '{"live":true}');
      t.equal((await reads.reply())?.body.toString(), '{"ready":true}');
      reads.close();
      await checkAlive(t, rig);
    });

    t.test('a handler that throws, or forgets the request, answers 500', async (t) => {
      const faults: string[] = [];
      const log = {
        warn: () => undefined,
        error: (_fields: object, message: string) => faults.push(message),
      };
      const transport = await chooseTransport(choice, log);
      const listening = await transport.listen('127.0.0.1', 0, (head) => {
        if (head.path === '/throws') throw new Error('planted');
        if (head.path === '/forgets') return null;
        return {
          chunk: () => {
            throw new Error('planted in the body');
          },
          aborted: () => undefined,
        };
      });
      t.teardown(() => {
        listening.close();
      });
      for (const path of ['/throws', '/forgets', '/body']) {
        for (const method of ['GET', 'POST', 'HEAD']) {
          const reply = await ask(listening.port, method, path, method === 'POST' ? 'abc' : undefined);
          t.equal(reply?.status, 500, `${method} ${path}`);
          t.notMatch(reply?.body.toString(), 'planted');
        }
      }
      t.equal(faults.length, 9);
    });

    t.test('a reply that comes twice, or after the client has gone, is ignored', async (t) => {
      const transport = await chooseTransport(choice, { warn: () => undefined, error: () => undefined });
      const reply = (body: string) => ({ status: 200, contentType: 'text/plain', headLength: 0, body });
      const gone: Responder[] = [];
      let aborts = 0;
      const listening = await transport.listen('127.0.0.1', 0, (head, responder) => {
        if (head.path === '/late') gone.push(responder);
        return {
          chunk: () => {
            if (head.path === '/late') return;
            responder.send(reply('first'));
            responder.send(reply('second'));
          },
          aborted: () => {
            aborts += 1;
            responder.send(reply('nobody listens'));
          },
        };
      });
      t.teardown(() => {
        listening.close();
      });
      const twice = await RawClient.open(listening.port);
      for (let round = 0; round < 2; round += 1) {
        twice.write(requestBytes('POST', '/twice', 'x'));
        t.equal((await twice.reply())?.body.toString(), 'first', 'and the connection is in step');
      }
      twice.close();
      const late = await RawClient.open(listening.port);
      late.write(requestBytes('POST', '/late', 'x'));
      await eventually(() => gone.length === 1);
      late.reset();
      await eventually(() => aborts === 1);
      t.equal(aborts, 1);
      t.equal(gone[0]?.isClosed, true);
      gone[0]?.send(reply('too late'));
      t.equal((await ask(listening.port, 'POST', '/twice', 'x'))?.body.toString(), 'first', 'alive');
    });

    t.test('stopping', async (t) => {
      const rig = await setUp(t, choice);
      const client = await RawClient.open(rig.port);
      client.write(requestBytes('POST', INFER, 'before'));
      t.equal((await client.reply())?.body.toString(), 'before');
      rig.listening.stopListening();
      await t.rejects(RawClient.open(rig.port), { code: 'ECONNREFUSED' });
      client.write(requestBytes('POST', INFER, 'open connections go on'));
      t.equal((await client.reply())?.body.toString(), 'open connections go on');
      const drained = rig.admission.drain(1000);
      client.write(requestBytes('POST', INFER, 'late'));
      isError(t, await client.reply(), 503, 'draining');
      t.equal(await drained, true);
      rig.listening.close();
      await client.closed();
      rig.listening.close();
    });

    t.test('a port that is taken is an error', async (t) => {
      const rig = await setUp(t, choice);
      const transport = await chooseTransport(choice, { warn: () => undefined, error: () => undefined });
      await t.rejects(transport.listen('127.0.0.1', rig.port, () => null));
    });
  });
}

t.test('auto falls back with one line that says why', async (t) => {
  const lines: string[] = [];
  const log = { warn: (_fields: object, message: string) => lines.push(message), error: () => undefined };
  const refuse = () => Promise.reject(new Error('no binary for this Node\nwith details'));
  const fallback = await chooseTransport('auto', log, refuse);
  t.equal(fallback.name, 'node:http');
  t.equal(lines.length, 1);
  t.match(lines[0], /node:http.*no binary for this Node$/);
  await t.rejects(chooseTransport('uws', log, refuse), /no binary for this Node/);
  t.equal((await chooseTransport('node', log, refuse)).name, 'node:http');
  t.equal((await chooseTransport('auto', log)).name, 'uWebSockets.js');
  t.equal(lines.length, 1);
});
