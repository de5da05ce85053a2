/**
 * Model files are damaged at 20 points of their load, in every way of the list: cut off, a bit flipped, emptied, overwritten
 * in place, replaced by a rename, deleted, the folder swapped by renames, a link swapped. Each load either is refused with its
 * reason, or serves what was published; once it serves, the same damage is done again and the answers stay.
 * Usage: node test/stress/file-faults.mjs [--short]        8 faults at 20 points, about 2 minutes; short: 2 points, about 10 s
 */
import {
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersRight, publishLookup } from './lookup-model.mjs';
import { admin, isShort, percentile, report, startServer, withdraw } from './rig.mjs';

const POINTS = isShort ? 2 : 20;
const NAME = 'lookup';
const repository = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
const elsewhere = mkdtempSync(join(tmpdir(), 'sluice-faults-aside-'));

function overwrite(path, change) {
  const file = openSync(path, 'r+');
  const size = statSync(path).size;
  change(file, size);
  closeSync(file);
}

const SWAP = 'folder swapped by renames';
/** The version whose files the swap brings. */
const STRANGER = 1;

const FAULTS = {
  'cut off': (place) => truncateSync(join(place, 'weights.bin'), 1000),
  'bit flipped': (place) =>
    overwrite(join(place, 'weights.bin'), (file) => {
      const byte = readFileSync(join(place, 'weights.bin'))[2];
      writeSync(file, Buffer.from([byte ^ 0x40]), 0, 1, 2);
    }),
  emptied: (place) => truncateSync(join(place, 'model.onnx'), 0),
  'overwritten in place': (place) =>
    overwrite(join(place, 'weights.bin'), (file, size) => writeSync(file, Buffer.alloc(size), 0, size, 0)),
  'replaced by a rename': (place) => {
    writeFileSync(join(elsewhere, 'other'), Buffer.alloc(statSync(join(place, 'weights.bin')).size));
    renameSync(join(elsewhere, 'other'), join(place, 'weights.bin'));
  },
  deleted: (place) => rmSync(join(place, 'weights.bin')),
  [SWAP]: (place) => {
    renameSync(place, join(elsewhere, 'was'));
    publishLookup(elsewhere, 'stranger', STRANGER, { rows: 10_000 });

    renameSync(join(elsewhere, 'stranger', String(STRANGER)), place);
    rmSync(join(elsewhere, 'was'), { recursive: true });
  },
  'link swapped in': (place) => {
    renameSync(join(place, 'weights.bin'), join(elsewhere, 'weights'));
    symlinkSync(join(elsewhere, 'weights'), join(place, 'weights.bin'));
  },
};

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
publishLookup(repository, NAME, 1);
const server = await startServer(repository, [
  '--model-control',
  'explicit',
  '--load-model',
  '*',
  '--log-level',
  'fatal',
]);
/** What a load without damage takes, the slowest of a few: the points of damage lie inside it. */
let loadMs = 0;
let version = 1;
for (let time = 0; time < 3; time += 1) {
  publishLookup(repository, NAME, (version += 1));
  const beganAt = performance.now();
  await admin(server, 'POST', `/v2/repository/models/${NAME}/load`);
  loadMs = Math.max(loadMs, performance.now() - beganAt);
  withdraw(repository, NAME, version - 1);
}

const counts = { served: 0, refused: 0, unseen: 0, silent: 0 };
const wrong = [];
const reasons = new Map();
const refusedMs = [];
let serving = version;
/** Whose rows `serving` answers. */
let content = version;
for (const [fault, damage] of Object.entries(FAULTS)) {
  for (let point = 0; point < POINTS; point += 1) {
    version += 1;
    const place = publishLookup(repository, NAME, version);
    const startedAt = performance.now();
    const loading = admin(server, 'POST', `/v2/repository/models/${NAME}/load`);
    await wait((point / POINTS) * loadMs);
    damage(place);
    const damagedAt = performance.now();
    const { status, body } = await loading;
    const tookMs = performance.now() - Math.max(startedAt, damagedAt);
    const isLoaded =
      status === 200 &&
      body.versions.some((row) => row.version === String(version) && row.result === 'loaded');
    if (status === 200) {
      counts.served += 1;
      // A folder that was away while the repository was read was not found: then the one before stays.
      if (isLoaded) serving = content = version;
      else counts.unseen += 1;
    } else {
      counts.refused += 1;
      refusedMs.push(tookMs);
      const reason = String(body.error)
        .replace(/.*version \d+: /, '')
        .replace(/[0-9a-f]{64}/g, '<sha256>')
        .slice(0, 100);
      if (reason === '' || reason === 'undefined') counts.silent += 1;
      reasons.set(`${fault}: ${reason}`, (reasons.get(`${fault}: ${reason}`) ?? 0) + 1);
    }
    // Damage after the load, where the load was quicker.
    let answer = await answersRight(server, NAME, content);
    // Who swaps whole folders before the load looks has published the other one; half of each would be right for neither.
    if (!answer.isRight && isLoaded && fault === SWAP) {
      content = STRANGER;
      answer = await answersRight(server, NAME, content);
    }
    if (!answer.isRight || answer.version !== serving)
      wrong.push(`${fault}: expected version ${serving}, got ${JSON.stringify(answer)}`);
    for (const old of [version - 2, version - 1]) if (old !== serving) withdraw(repository, NAME, old);
    rmSync(join(elsewhere, 'weights'), { force: true });
  }
}
const isAlive = server.child.exitCode === null && server.child.signalCode === null;
await server.stop();
rmSync(repository, { recursive: true });
rmSync(elsewhere, { recursive: true });
refusedMs.sort((left, right) => left - right);
report(
  `${Object.keys(FAULTS).length} faults at ${POINTS} points of a load of ${loadMs.toFixed(0)} ms`,
  [
    ['loads that served', counts.served],
    ['of these, loads that did not see the version', counts.unseen],
    ['loads that were refused', counts.refused],
    [
      'from fault to refusal, median / p99 / longest',
      `${[0.5, 0.99, 1].map((share) => (percentile(refusedMs, share) ?? 0).toFixed(0)).join(' / ')} ms`,
    ],
    ['first wrong answers', JSON.stringify(wrong.slice(0, 3))],
    ...[...reasons].map(([reason, count]) => [`refused ${count} times`, reason]),
  ],
  [
    ['no answer was wrong', wrong.length === 0],
    ['the server lives', isAlive],
    ['every refusal has a reason', counts.silent === 0],
    ['every refusal came within a second of its fault', (refusedMs.at(-1) ?? 0) <= 1000],
  ],
);
