#!/usr/bin/env node
// `npm run bench`: Sluice beside its baselines in one interleaved run. See docs/benchmarks.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAll } from '../bench/build.mjs';
import { describeMachine } from '../bench/machine.mjs';
import { RESULTS } from '../bench/paths.mjs';
import { machineText, ratioTable, scenarioText } from '../bench/report.mjs';
import { chooseScenarios, runScenario, withPeers } from '../bench/run.mjs';
import { SCENARIOS } from '../bench/scenarios.mjs';

const HELP = `Usage: npm run bench -- [options]
  --short          3 rounds of 1 s blocks: minutes instead of half an hour; good for a look, not for a claim
  --only a,b       these scenarios only
  --rounds N       rounds that must be steady (default 7)
  --block-s S      seconds of one block (default 2)
  --peers FILE     other V2 servers: [{ "name": "triton", "url": "http://127.0.0.1:9000", "request": "tinyHead" }]
  --out FILE       where the JSON goes (default build/bench/results/)
  --list           the scenarios
Exit code 1 when a target is missed.`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    'block-s': { type: 'string' },
    peers: { type: 'string' },
    out: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

function printList() {
  for (const { name, title } of SCENARIOS) console.log(`${name.padEnd(14)} ${title}`);
}

async function main() {
  const peers = values.peers === undefined ? [] : JSON.parse(readFileSync(values.peers, 'utf8'));
  const scenarios = withPeers(chooseScenarios(values.only), peers);
  const rounds = Number(values.rounds ?? (values.short ? 3 : 7));
  const blockS = Number(values['block-s'] ?? (values.short ? 1 : 2));
  const log = (line) => process.stderr.write(`${line}\n`);
  buildAll();
  const machine = describeMachine();
  console.log(machineText(machine));
  const results = [];
  for (const scenario of scenarios) {
    const result = await runScenario(scenario, { rounds, blockS, log });
    results.push(result);
    console.log(scenarioText(result));
  }
  console.log(ratioTable(results));
  const now = new Date().toISOString();
  const out = values.out ?? join(RESULTS, `${now.replaceAll(':', '-')}.json`);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(
    out,
    `${JSON.stringify({ at: now, machine, rounds, blockS, scenarios: results }, null, 1)}\n`,
  );
  console.log(`written to ${out}`);
  const missed = results.flatMap((result) => result.comparisons.filter(({ isMet }) => isMet === false));
  process.exitCode = missed.length > 0 ? 1 : 0;
}

if (values.help) {
  console.log(HELP);
} else if (values.list) {
  printList();
} else {
  await main().catch((error) => {
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = 1;
  });
}
