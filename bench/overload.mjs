/**
 * Rounds of the scenarios that go beyond what a server can do. `overload`: goodput under a deadline at multiples of the ceiling,
 * and how soon it is back after ten times. `isolation`: a light model's latency alone, and beside a heavy one at twice its ceiling.
 */
import { capture, coresOf, generatorWords, pollWords } from './block.mjs';
import { GENERATOR } from './paths.mjs';
import { pinned } from './servers.mjs';

/** More than the server can answer within the deadline, so that the limit is not the number of sockets. */
const CONNECTIONS = 512;
const CEILING_CONNECTIONS = 64;
const WARM_UP_S = 0.3;
const SLOT_S = 0.1;
const RECOVERED_SHARE = 0.95;
const CALM = 0.8;
const STORM = 10;

async function load(running, side, layout, words, polls = pollWords(layout)) {
  const { request } = side;
  const all = generatorWords(running, { ...side, request }, ['--seed', '1', ...polls, ...words]);
  return JSON.parse(await capture(pinned(coresOf(layout).generator, [GENERATOR, ...all])));
}

const p99Us = (histogram) =>
  histogram.count === 0 ? NaN : histogram.percentiles.find(({ percent }) => percent === 99).us;

async function findCeiling(side, layout, durationS) {
  const words = [
    '--mode',
    'closed',
    '--connections',
    String(CEILING_CONNECTIONS),
    '--warmup-s',
    String(WARM_UP_S),
  ];
  const result = await load(side.running, side, layout, [...words, '--duration-s', String(durationS)]);
  return result.achievedPerS;
}

function openWords(deadlineMs, words) {
  const fixed = ['--mode', 'poisson', '--connections', String(CONNECTIONS), '--warmup-s', String(WARM_UP_S)];
  return [...fixed, '--deadline-ms', String(deadlineMs), ...words];
}

/** With the header by which a client tells how long it waits. */
function withDeadline(side, deadlineMs) {
  const headers = { ...side.request.headers, 'Sluice-Deadline-Ms': String(deadlineMs) };
  return { ...side, request: { ...side.request, headers } };
}

function sideOf(result, more = {}) {
  return {
    rate: result.goodPerS,
    p50Us: result.latency.percentiles[0].us,
    p99Us: p99Us(result.latency),
    maxUs: result.latency.maxUs,
    refusedP99Us: p99Us(result.turnedAway),
    generatorBusy: Math.max(...result.threads.map((thread) => thread.busyFraction)),
    reasons: result.reasons,
    ...more,
  };
}

/** Seconds from the end of the storm until goodput is back for good; no number where it is not. */
function recoveryS({ widthS, slots }, fromS) {
  const lastBad = slots.findLastIndex((slot) => slot.good < RECOVERED_SHARE * slot.scheduled);
  if (lastBad === slots.length - 1) return NaN;
  return Math.max(0, lastBad + 1 - Math.round(fromS / widthS)) * widthS;
}

export async function overloadRound(scenario, sides, blockS) {
  const { layout, deadlineMs, multiples } = scenario;
  const round = {};
  for (const [name, side] of Object.entries(sides)) {
    const capacity = await findCeiling(side, layout, blockS);
    const limited = withDeadline(side, deadlineMs);
    let peak = 0;
    for (const multiple of multiples) {
      const words = ['--rate', String(capacity * multiple), '--duration-s', String(blockS)];
      const result = await load(side.running, limited, layout, openWords(deadlineMs, words));
      round[`${name} ${multiple}x`] = sideOf(result);
      peak = Math.max(peak, result.goodPerS);
    }
    const phases = [
      [CALM, blockS + WARM_UP_S],
      [STORM, blockS],
      [CALM, 2.5 * blockS],
    ].flatMap(([multiple, seconds]) => ['--phase', `${capacity * multiple}:${seconds}`]);
    const words = openWords(deadlineMs, [...phases, '--timeline-s', String(SLOT_S)]);
    const after = await load(side.running, limited, layout, words);
    round[`${name} peak`] = { rate: peak, capacity, reasons: [] };
    round[`${name} after ${STORM}x`] = sideOf(after, { recoveryS: recoveryS(after.timeline, 2 * blockS) });
  }
  return round;
}

export async function isolationRound(scenario, sides, blockS) {
  const { layout, deadlineMs, lightPerS } = scenario;
  const round = {};
  // Two generators share a core: none may poll.
  const loadAsleep = ({ running, ...side }, words) =>
    load(running, withDeadline(side, deadlineMs), layout, words, []);
  for (const name of scenario.servers) {
    const light = sides[`${name} light`];
    const heavy = sides[`${name} heavy`];
    const capacity = await findCeiling(heavy, layout, blockS);
    const lightLoad = () =>
      loadAsleep(light, [
        ...['--mode', 'poisson', '--rate', String(lightPerS), '--connections', String(CEILING_CONNECTIONS)],
        ...['--warmup-s', String(WARM_UP_S), '--duration-s', String(blockS)],
      ]);
    round[`${name} light, alone`] = sideOf(await lightLoad());
    const heavyWords = ['--rate', String(2 * capacity), '--duration-s', String(blockS)];
    const [beside, heavyResult] = await Promise.all([
      lightLoad(),
      loadAsleep(heavy, openWords(deadlineMs, heavyWords)),
    ]);
    round[`${name} light, beside heavy`] = sideOf(beside);
    round[`${name} heavy, 2x`] = sideOf(heavyResult, { capacity });
  }
  return round;
}
