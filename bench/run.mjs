/**
 * Runs scenarios: prepares requests and replies, starts the servers of a scenario, lets the sides take turns forwards and
 * backwards (A B B A) in every round, and compares inside rounds. Knows nothing of what is compared: see scenarios.mjs.
 */
import { keepAwake } from './awake.mjs';
import { findBestBatch, runBareLoop } from './bare-loop.mjs';
import { coresOf, runBlock } from './block.mjs';
import { watchMachine } from './machine.mjs';
import { isolationRound, overloadRound } from './overload.mjs';
import { ask, keepReply, outputOf, prepareRequest } from './requests.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { serverCommand, startServer } from './servers.mjs';
import { compare, keepSteady, summary } from './stats.mjs';

/** A machine that does not hold still gets this many rounds more, at most. */
const EXTRA_ROUNDS = 2;
const SHOWN = ['rate', 'p50Us', 'p99Us', 'serverCpuUs', 'generatorCpuUs', 'generatorBusy'];
const ROUNDS = { overload: overloadRound, isolation: isolationRound };
/** Rounds of those take many blocks each. */
const MOST_LONG_ROUNDS = 5;

export function chooseScenarios(only) {
  if (only === undefined) return SCENARIOS;
  const names = only.split(',');
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined)
    throw new Error(
      `no scenario is called ${unknown}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  return SCENARIOS.filter(({ name }) => names.includes(name));
}

function isSameAnswer(a, b) {
  return (
    a.length === b.length &&
    a.every((value, i) => Math.abs(value - b[i]) <= 1e-4 * Math.max(1, Math.abs(b[i])))
  );
}

/** Every server that computes must give the same answer before anything is timed; an echo then gives Sluice's bytes. */
async function prepareSides(scenario, log) {
  const stops = [];
  const servers = new Map();
  const replies = new Map();
  const cores = coresOf(scenario.layout).server;
  const start = async (key, args) => {
    if (!servers.has(key)) {
      const server = await startServer(args, { cores });
      servers.set(key, server);
      stops.push(server.stop);
    }
    return servers.get(key);
  };
  const stopAll = () => Promise.all(stops.map((stop) => stop()));
  const replyOf = async (request) => {
    if (!replies.has(request.name)) {
      const sluice = await start('sluice', serverCommand('sluice'));
      replies.set(request.name, await ask(sluice.url, request));
    }
    return replies.get(request.name);
  };
  try {
    const sides = {};
    for (const [name, side] of Object.entries(scenario.sides)) {
      if (side.program !== undefined) {
        const batches = await findBestBatch(side, scenario);
        log(`${name}: fastest at batches of ${batches} rows`);
        sides[name] = { ...side, batches };
        continue;
      }
      const request = prepareRequest(side.request);
      const reply = await replyOf(request);
      const isEcho = side.server === 'echo';
      const kept = isEcho ? keepReply(request.name, reply) : undefined;
      const server =
        side.url === undefined
          ? await start(isEcho ? `echo ${request.name}` : side.server, serverCommand(side.server, kept))
          : { url: side.url };
      if (!isSameAnswer(outputOf(await ask(server.url, request)), outputOf(reply)))
        throw new Error(`${scenario.name}: ${name} gives another answer than Sluice`);
      sides[name] = { ...side, request, running: server };
    }
    return { sides, stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/**
 * Servers that somebody else started, `[{ "name", "url", "request" }]`, as sides of the scenarios that are open to them. They
 * serve the same models under the same names; a request is one of REQUESTS that Sluice has in the scenario.
 */
export function withPeers(scenarios, peers) {
  return scenarios.map((scenario) => {
    if (scenario.takesPeers !== true) return scenario;
    const sides = { ...scenario.sides };
    const comparisons = [...scenario.compare];
    for (const { name, url, request } of peers) {
      const ours = Object.entries(scenario.sides).find(
        ([, side]) => side.server === 'sluice' && side.request === request,
      );
      if (ours === undefined) continue;
      sides[name] = { url: url.replace(/\/$/, ''), request };
      comparisons.push({ of: 'rate', subject: ours[0], base: name });
    }
    return { ...scenario, sides, compare: comparisons };
  });
}

/** Two blocks a side, forwards then backwards; a side's value in the round is the mean of its two. */
async function runRound(scenario, sides, blockS) {
  if (scenario.kind !== undefined) return ROUNDS[scenario.kind](scenario, sides, blockS);
  const names = Object.keys(sides);
  const blocks = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of [...names, ...names.reverse()]) {
    const side = sides[name];
    const block =
      side.program === undefined
        ? runBlock(side.running, side, scenario, blockS)
        : runBareLoop(side, scenario, blockS);
    blocks[name].push(await block);
  }
  const round = {};
  for (const [name, [first, second]] of Object.entries(blocks)) {
    round[name] = {
      reasons: [...first.reasons, ...second.reasons],
      maxUs: Math.max(first.maxUs, second.maxUs),
    };
    for (const key of SHOWN) round[name][key] = (first[key] + second[key]) / 2;
  }
  return round;
}

function summarise(scenario, rounds, wantedRounds) {
  const { kept, discarded } = keepSteady(rounds, scenario.control);
  const sides = {};
  for (const name of Object.keys(rounds[0])) {
    const values = (key) => kept.map((round) => round[name][key]);
    sides[name] = Object.fromEntries(SHOWN.map((key) => [key, summary(values(key))]));
    sides[name].notValid = [...new Set(kept.flatMap((round) => round[name].reasons))];
    sides[name].notValidRounds = kept.filter((round) => round[name].reasons.length > 0).length;
  }
  return {
    name: scenario.name,
    title: scenario.title,
    layout: scenario.layout,
    load: scenario.load,
    keptRounds: kept.length,
    discardedRounds: discarded,
    isSteady: kept.length >= wantedRounds,
    sides,
    comparisons: scenario.compare.map((entry) => compare(kept, entry)),
    rounds,
  };
}

export async function runScenario(scenario, { rounds: asked, blockS, log }) {
  const wanted = scenario.kind === undefined ? asked : Math.min(asked, MOST_LONG_ROUNDS);
  const ofMachine = watchMachine();
  const rounds = [];
  const endAwake = keepAwake();
  let prepared;
  try {
    while (rounds.length < wanted + EXTRA_ROUNDS) {
      if (prepared === undefined) {
        prepared = await prepareSides(scenario, log);
        // Thrown away: caches, clocks and compilers are not warm yet.
        await runRound(scenario, prepared.sides, scenario.kind === undefined ? Math.min(blockS, 1) : 0.3);
      }
      rounds.push(await runRound(scenario, prepared.sides, blockS));
      log(`${scenario.name}: round ${rounds.length} of ${wanted}`);
      if (rounds.length >= wanted && keepSteady(rounds, scenario.control).kept.length >= wanted) break;
      if (scenario.startsAnew === true) {
        await prepared.stopAll();
        prepared = undefined;
      }
    }
  } finally {
    endAwake();
    await prepared?.stopAll();
  }
  return { ...summarise(scenario, rounds, wanted), machine: ofMachine() };
}
