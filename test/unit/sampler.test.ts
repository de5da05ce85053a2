/** The sample of a shadow: its share, its independence, and that a seed repeats it. */
import t from 'tap';
import { Sampler } from '../../src/shadow/sampler.js';

const DRAWS = 1_000_000;

function taken(percent: number, seed: number): boolean[] {
  const sampler = new Sampler(percent, seed);
  return Array.from({ length: DRAWS }, () => sampler.takes());
}

/** Whether a count is within five deviations of a binomial number: wrong once in two million tries. */
function isWithin(count: number, share: number, draws: number): boolean {
  return Math.abs(count - draws * share) <= 5 * Math.sqrt(draws * share * (1 - share));
}

t.test('takes its share, of neighbours as of all', (t) => {
  for (const percent of [0.01, 0.1, 1, 10, 50, 90, 99.9]) {
    for (const seed of [0, 1, 2 ** 32 - 1]) {
      const share = percent / 100;
      const sample = taken(percent, seed);
      const count = sample.filter(Boolean).length;
      t.ok(isWithin(count, share, DRAWS), `${percent} % with seed ${seed}: ${count} of ${DRAWS}`);
      const pairs = sample.filter((is, at) => at % 2 === 0 && is && sample[at + 1] === true).length;
      t.ok(isWithin(pairs, share ** 2, DRAWS / 2), `${percent} % with seed ${seed}: ${pairs} pairs`);
    }
  }
  t.end();
});

t.test('takes none of 0 % and all of 100 %', (t) => {
  t.notOk(taken(0, 1).includes(true));
  t.notOk(taken(100, 1).includes(false));
  t.end();
});

t.test('the same seed takes the same ones', (t) => {
  t.strictSame(taken(10, 7).join(), taken(10, 7).join());
  t.not(taken(10, 7).join(), taken(10, 8).join());
  t.end();
});
