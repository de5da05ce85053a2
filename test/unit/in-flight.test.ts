/** The table of requests in flight against a Map, over ids that count, that are anywhere, and that all want one slot. */
import t from 'tap';
import { seededRandom } from '../../scripts/models/random.mjs';
import { InFlight } from '../../src/serving/in-flight.js';

const IDS: Readonly<Record<string, (random: () => number, turn: number) => number>> = {
  'that count up and wrap around': (_, turn) => (0xffff_fe00 + turn) % 2 ** 32,
  'from anywhere': (random) => Math.floor(random() * 2 ** 32),
  'that all want the same few slots': (random) =>
    Math.floor(random() * 300) * 4096 + Math.floor(random() * 3),
  'of few': (random) => Math.floor(random() * 40),
};

for (const [what, nextId] of Object.entries(IDS)) {
  t.test(`ids ${what}`, async (t) => {
    const random = seededRandom(7);
    const table = new InFlight<{ readonly id: number }>();
    const truth = new Map<number, { readonly id: number }>();
    let differs = 0;
    for (let turn = 0; turn < 20_000; turn += 1) {
      const id = nextId(random, turn);
      if (table.get(id) !== truth.get(id)) differs += 1;
      if (truth.size < 100 && !truth.has(id)) {
        const item = { id };
        table.add(item);
        truth.set(id, item);
      }
      // Sometimes all, mostly one of those that are there, whether old or new.
      const leaving =
        turn % 997 === 0
          ? [...truth.keys()]
          : random() < 0.6
            ? [[...truth.keys()].at(-1 - Math.floor(random() * 3))]
            : [];
      for (const gone of leaving) {
        const item = gone === undefined ? undefined : truth.get(gone);
        if (item === undefined) continue;
        table.remove(item);
        truth.delete(item.id);
      }
      if (table.size !== truth.size) differs += 1;
      if (turn % 50 === 0) {
        for (const [known, item] of truth) if (table.get(known) !== item) differs += 1;
        const seen = new Set<unknown>();
        table.forEach((item) => seen.add(item));
        if (seen.size !== truth.size || [...truth.values()].some((item) => !seen.has(item))) differs += 1;
      }
    }
    t.equal(differs, 0);
  });
}
