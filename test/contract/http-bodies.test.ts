/**
 * Bodies as they come in over both transports: byte by byte, chunked, too long, lying about their length, and clients
 * that leave in the middle of everything.
 */
import t from 'tap';
import {
  BINARY_LIMIT,
  checkAlive,
  eventually,
  INFER,
  isError,
  JSON_LIMIT,
  setUp,
} from '../support/contract-rig.js';
import { ask, chunkBytes, RawClient, requestBytes } from '../support/raw-http.js';

for (const choice of ['uws', 'node'] as const) {
  t.test(`over ${choice}`, async (t) => {
    t.test('body framing', async (t) => {
      const rig = await setUp(t, choice);
      const { port, engine } = rig;

      t.test('no body at all, and an empty one', async (t) => {
        for (const headers of [{}, { 'content-length': '0' }] as Array<Record<string, string>>) {
          const reply = await ask(port, 'POST', INFER, undefined, headers);
          t.equal(reply?.status, 200);
          t.equal(engine.submissions.at(-1)?.body.byteLength, 0);
        }
      });

      t.test('one TCP segment per byte', async (t) => {
        const client = await RawClient.open(port);
        const body = '{"id":"byte by byte"}';
        const bytes = requestBytes('POST', INFER, body);
        const lineEnd = bytes.indexOf('\r\n') + 2;
        // uWebSockets.js before 20.56 answers 505 where a segment ends inside the request line.
        client.write(bytes.subarray(0, lineEnd));
        await client.writeByByte(bytes.subarray(lineEnd));
        t.equal((await client.reply())?.body.toString(), body);
        client.write(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
        await client.writeByByte(
          Buffer.from(chunkBytes('{"id":') + chunkBytes('"chunks"}') + chunkBytes('')),
        );
        t.equal((await client.reply())?.body.toString(), '{"id":"chunks"}');
        client.close();
      });

      t.test('chunked', async (t) => {
        const headers = { 'transfer-encoding': 'chunked' };
        const parts = Array.from({ length: 5000 }, (_, index) => `${index},`);
        const whole = parts.map(chunkBytes).join('') + chunkBytes('');
        const reply = await ask(port, 'POST', INFER, whole, headers);
        t.equal(reply?.body.toString(), parts.join(''));
        t.equal((await ask(port, 'POST', INFER, chunkBytes(''), headers))?.status, 200, 'empty');
        const reused = await RawClient.open(port);
        for (const text of ['a', 'b']) {
          reused.write(requestBytes('POST', INFER, chunkBytes(text) + chunkBytes(''), headers));
          t.equal((await reused.reply())?.body.toString(), text);
        }
        reused.close();
      });

      t.test('at the limit, over it, and on with the same connection', async (t) => {
        const client = await RawClient.open(port);
        const exact = 'x'.repeat(JSON_LIMIT);
        client.write(requestBytes('POST', INFER, exact));
        t.equal((await client.reply())?.body.byteLength, JSON_LIMIT);
        client.write(requestBytes('POST', INFER, `${exact}x`));
        isError(t, await client.reply(), 413, 'by Content-Length');
        const chunked = { 'transfer-encoding': 'chunked' };
        client.write(
          requestBytes('POST', INFER, chunkBytes(exact) + chunkBytes('x') + chunkBytes(''), chunked),
        );
        isError(t, await client.reply(), 413, 'by running total');
        const binary = { 'inference-header-content-length': '1' };
        client.write(requestBytes('POST', INFER, 'y'.repeat(BINARY_LIMIT), binary));
        t.equal((await client.reply())?.body.byteLength, BINARY_LIMIT);
        client.write(requestBytes('POST', INFER, 'y'.repeat(BINARY_LIMIT + 1), binary));
        isError(t, await client.reply(), 413, 'binary');
        client.write(requestBytes('POST', INFER, 'in step'));
        t.equal((await client.reply())?.body.toString(), 'in step');
        client.close();
      });

      t.test('413 comes before the body', async (t) => {
        const client = await RawClient.open(port);
        client.write(requestBytes('POST', INFER, undefined, { 'content-length': '123456789' }));
        isError(t, await client.reply(), 413, 'no byte of the body was sent');
        client.close();
      });

      t.test('under overload 503 comes before a small body, which is then skipped', async (t) => {
        const client = await RawClient.open(port);
        engine.isCrowded = true;
        engine.retryMs = 1500;
        engine.unreadRefusals.push({ code: 'QUEUE_FULL', message: 'later' });
        client.write(requestBytes('POST', INFER, undefined, { 'content-length': '4' }));
        const reply = await client.reply();
        isError(t, reply, 503, 'no byte of the body was sent');
        t.equal(reply?.headers['retry-after'], '2');
        engine.isCrowded = false;
        engine.retryMs = 0;
        client.write('ab');
        client.write('cd');
        client.write(requestBytes('POST', INFER, 'in step'));
        t.equal((await client.reply())?.body.toString(), 'in step');
        client.close();
      });

      t.test('further headers of errors on one connection: each answer has its own', async (t) => {
        const client = await RawClient.open(port);
        const refusedUnread = async (retryMs: number): Promise<string | undefined> => {
          engine.isCrowded = true;
          engine.retryMs = retryMs;
          engine.unreadRefusals.push({ code: 'QUEUE_FULL', message: 'later' });
          client.write(requestBytes('POST', INFER, 'body'));
          const reply = await client.reply();
          engine.isCrowded = false;
          engine.retryMs = 0;
          isError(t, reply, 503, `again after ${retryMs} ms`);
          return reply?.headers['retry-after'];
        };
        t.equal(await refusedUnread(1500), '2');
        t.equal(await refusedUnread(1500), '2');
        t.equal(await refusedUnread(0), '1');
        client.write(requestBytes('POST', INFER, 'body', { 'content-encoding': 'gzip' }));
        const unsupported = await client.reply();
        isError(t, unsupported, 415, 'compressed');
        t.equal(unsupported?.headers['accept-encoding'], 'identity');
        t.equal(unsupported?.headers['retry-after'], undefined);
        t.equal(await refusedUnread(2500), '3');
        client.write(requestBytes('POST', INFER, 'in step'));
        const last = await client.reply();
        t.equal(last?.body.toString(), 'in step');
        t.equal(last?.headers['retry-after'], undefined);
        client.close();
      });

      t.test('a Content-Length that lies', async (t) => {
        const short = await RawClient.open(port);
        const before = engine.submissions.length;
        short.write(requestBytes('POST', INFER, 'abc', { 'content-length': '4' }));
        short.socket.end();
        await short.closed();
        await eventually(() => rig.admission.inFlightRequests === 0);
        t.equal(engine.submissions.length, before, 'a body that never ended is no request');
        t.equal(engine.openBodies.size, 0);
        for (const length of ['-1', '1x', 'abc']) {
          const reply = await ask(port, 'POST', INFER, 'abc', { 'content-length': length });
          t.ok(reply === undefined || reply.status === 400, `Content-Length ${length}: refused or closed`);
        }
        const both = await ask(port, 'POST', INFER, chunkBytes('a') + chunkBytes(''), {
          'content-length': '1',
          'transfer-encoding': 'chunked',
        });
        t.ok(both === undefined || both.status === 400, 'both framings at once');
        t.equal(engine.submissions.length, before);
        await checkAlive(t, rig);
      });

      t.test('an error reply waits for the body', async (t) => {
        const client = await RawClient.open(port);
        client.write(requestBytes('POST', '/nowhere', undefined, { 'content-length': '4' }));
        client.write('ab');
        client.write('cd');
        isError(t, await client.reply(), 404, 'after the body');
        client.write(requestBytes('POST', INFER, 'in step'));
        t.equal((await client.reply())?.body.toString(), 'in step');
        client.close();
      });

      t.test('Expect: 100-continue', async (t) => {
        const client = await RawClient.open(port);
        client.write(
          requestBytes('POST', INFER, undefined, { expect: '100-continue', 'content-length': '2' }),
        );
        t.equal((await client.reply())?.status, 100);
        client.write('{}');
        t.equal((await client.reply())?.body.toString(), '{}');
        client.write(
          requestBytes('POST', INFER, undefined, { expect: '100-continue', 'content-length': '9999999' }),
        );
        // uWebSockets.js gives its go-ahead before it asks anybody; the refusal follows at once.
        if (choice === 'uws') t.equal((await client.reply())?.status, 100);
        isError(t, await client.reply(), 413, 'no go-ahead for a body over the limit');
        client.close();
      });
    });

    t.test('aborts at six phases', async (t) => {
      const rig = await setUp(t, choice);
      const { port, engine, admission } = rig;
      engine.echoes = false;
      const body = 'x'.repeat(1000);
      const bytes = requestBytes('POST', INFER, body);
      const headEnd = bytes.indexOf('\r\n\r\n') + 4;
      const phases: Record<string, (client: RawClient) => Promise<void> | void> = {
        'before a byte': () => undefined,
        'inside the head': (client) => client.write(bytes.subarray(0, headEnd - 10)),
        'after the head': (client) => client.write(bytes.subarray(0, headEnd)),
        'inside the body': (client) => client.write(bytes.subarray(0, headEnd + 500)),
        'while it waits': async (client) => {
          const before = engine.submissions.length;
          client.write(bytes);
          await engine.submitted(before + 1);
        },
        'while the reply is written': async (client) => {
          const before = engine.submissions.length;
          client.write(bytes);
          await engine.submitted(before + 1);
          client.socket.pause();
          engine.answer(engine.submissions[before]!, Buffer.alloc(8_000_000));
        },
      };
      for (const [name, phase] of Object.entries(phases)) {
        for (let round = 0; round < 40; round += 1) {
          const client = await RawClient.open(port);
          await phase(client);
          if (round % 2 === 0) client.reset();
          else client.close();
        }
        await eventually(() => engine.waiting.every((submission) => submission.isCancelled));
        t.ok(
          engine.waiting.every((submission) => submission.isCancelled),
          `${name}: whatever waited was cancelled`,
        );
        for (const submission of engine.waiting) engine.fail(submission, 'CANCELLED', 'cancelled');
        await eventually(() => admission.inFlightRequests === 0);
        t.match(
          { ...admission },
          { inFlightRequests: 0, inFlightBytes: 0 },
          `${name}: nobody is left inside`,
        );
        t.equal(engine.openBodies.size, 0, `${name}: no body is left`);
      }
      t.same(rig.faults, []);
      engine.echoes = true;
      await checkAlive(t, rig);
    });
  });
}
