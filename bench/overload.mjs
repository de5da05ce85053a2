/**
 * Rounds of the scenarios that go beyond what a server can do. `overload`: goodput under a deadline at multiples of the ceiling
 * over the ceiling, and how soon it is back after ten times. `isolation`: a light model's latency alone, and beside a heavy one at twice its ceiling.
 */
import { capture, coresOf, generatorWords, pollWords } from './block.mjs';
import { GENERATOR } from './paths.mjs';
import { cpuUs, loopCpuUs, pinned } from './servers.mjs';

/** More than the server can answer within the deadline, so that the limit is not the number of sockets. */
const CONNECTIONS = 512;
const CEILING_CONNECTIONS = 64;
const WARM_UP_S = 0.3;
const SLOT_S = 0.1;
const RECOVERED_SHARE = 0.95;
const CALM = 0.8;
const STORM = 10;

/** With `runShare`: what part of its processor time the server spent elsewhere than on its loop, that is, in runs. */
async function load(running, side, layout, words, polls = pollWords(layout)) {
  const { request } = side;
  const all = generatorWords(running, { ...side, request }, ['--seed', '1', ...polls, ...words]);
  const [cpuBefore, loopBefore] = [cpuUs(running.pid), loopCpuUs(running.pid)];
  const result = JSON.parse(await capture(pinned(coresOf(layout).generator, [GENERATOR, ...all])));
  const loopShare = (loopCpuUs(running.pid) - loopBefore) / (cpuUs(running.pid) - cpuBefore);
  return { ...result, runShare: 1 - loopShare };
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
  const { achievedPerS, runShare } = await load(side.running, side, layout, [
    ...words,
    '--duration-s',
    String(durationS),
  ]);
  return { rate: achievedPerS, runShare, reasons: [] };
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
    runShare: result.runShare,
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

function meanOf(ceilings) {
  const mean = (key) => ceilings.reduce((sum, ceiling) => sum + ceiling[key], 0) / ceilings.length;
  return { rate: mean('rate'), runShare: mean('runShare'), reasons: [] };
}

/** A machine that others use is a quarter faster a moment later: each multiple stands between two ceilings of its own. */
export async function overloadRound(scenario, sides, blockS) {
  const { layout, deadlineMs, multiples } = scenario;
  const round = {};
  for (const [name, side] of Object.entries(sides)) {
    const limited = withDeadline(side, deadlineMs);
    const ceilings = [await findCeiling(side, layout, blockS)];
    for (const multiple of multiples[name]) {
      const before = ceilings.at(-1);
      const words = ['--rate', String(before.rate * multiple), '--duration-s', String(blockS)];
      round[`${name} ${multiple}x`] = sideOf(
        await load(side.running, limited, layout, openWords(deadlineMs, words)),
      );
      ceilings.push(await findCeiling(side, layout, blockS));
      round[`${name} ceiling at ${multiple}x`] = meanOf([before, ceilings.at(-1)]);
    }
    round[`${name} ceiling`] = meanOf(ceilings);
    const capacity = ceilings.at(-1).rate;
    const phases = [
      [CALM, blockS + WARM_UP_S],
      [STORM, blockS],
      [CALM, 2.5 * blockS],
    ].flatMap(([multiple, seconds]) => ['--phase', `${capacity * multiple}:${seconds}`]);
    const words = openWords(deadlineMs, [...phases, '--timeline-s', String(SLOT_S)]);
    const after = await load(side.running, limited, layout, words);
    round[`${name} after ${STORM}x`] = sideOf(after, { recoveryS: recoveryS(after.timeline, 2 * blockS) });
  }
  return round;
}

export async function isolationRound(scenario, sides, blockS) {
  const { layout, deadlineMs, lightPerS } = scenario;
  const round = {};
  // Two generators share a core: none may poll.
  const loadAsleep = ({ running, ...side }, words) =>
    load(running, withDeadline(side, deadlineMs), layout, words, ['--spin-us', '0']);
  for (const name of scenario.servers) {
    const light = sides[`${name} light`];
    const heavy = sides[`${name} heavy`];
    const capacity = (await findCeiling(heavy, layout, blockS)).rate;
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
