/**
 * The page to draw digits on: its files, their headers, and that nothing else of the disk is there. test/browser/digits-page.test.ts
 * uses it.
 */
import t from 'tap';
import { ask } from '../support/raw-http.js';
import { linkedRepository, startTestServer } from '../support/running.js';

const PATH = '/examples/digits/';

for (const transport of ['uws', 'node']) {
  t.test(`over ${transport}`, async (t) => {
    const { server } = await startTestServer(t, linkedRepository(t, ['identity_fp32']), {
      examplePage: true,
      transport,
    });
    const get = async (path: string, method = 'GET') => {
      const reply = await ask(server.port, method, path);
      if (reply === undefined) throw new Error(`expected a reply for ${path}`);
      return reply;
    };
    t.equal(server.examplePagePath, PATH);

    for (const [name, type] of [
      ['', 'text/html; charset=utf-8'],
      ['index.html', 'text/html; charset=utf-8'],
      ['page.js', 'text/javascript; charset=utf-8'],
      ['sluice-client.js', 'text/javascript; charset=utf-8'],
      ['page.css', 'text/css; charset=utf-8'],
      ['samples.json', 'application/json'],
      ['icon.svg', 'image/svg+xml'],
    ]) {
      const answer = await get(PATH + name);
      t.equal(answer.status, 200, name);
      t.equal(answer.headers['content-type'], type, name);
      t.match(answer.headers['content-security-policy'], /default-src 'none'; script-src 'self'/);
      t.equal(answer.headers['x-content-type-options'], 'nosniff');
      t.ok(answer.body.byteLength > 100, name);
    }
    const moved = await get(PATH.slice(0, -1));
    t.equal(moved.status, 308);
    t.equal(moved.headers['location'], PATH);
    t.equal((await get(`${PATH}page.js`, 'POST')).status, 405);
    for (const path of [
      '../package.json',
      '..%2f..%2fpackage.json',
      '%2e%2e/%2e%2e/package.json',
      'page.js/',
      'PAGE.JS',
      '..\\page.js',
      'page.js%00',
    ]) {
      t.equal((await get(PATH + path)).status, 404, path);
    }
    t.equal((await get('/examples/digitsX')).status, 404);
    t.equal((await get('/v2/health/live')).status, 200, 'everything else is as before');
  });
}

t.test('only when asked for', async (t) => {
  const { server } = await startTestServer(t, linkedRepository(t, ['identity_fp32']));
  t.equal((await ask(server.port, 'GET', PATH))?.status, 404);
  t.equal(server.examplePagePath, undefined);
});
