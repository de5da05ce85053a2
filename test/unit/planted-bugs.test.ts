/** The bugs that the simulation must find can still be planted: each names one line that is there once. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { PLANTED_BUGS } from '../native/simulation/planted-bugs.mjs';

t.test('each planted bug finds its line', async (t) => {
  for (const [name, { file, find }] of Object.entries(PLANTED_BUGS)) {
    const text = readFileSync(new URL(`../../native/schedule/${file}`, import.meta.url), 'utf8');
    t.equal(text.split(find).length - 1, 1, `${name}: ${file}`);
  }
});
