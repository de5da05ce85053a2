#!/usr/bin/env node
/**
 * The README's chart, from a result of `npm run bench` that holds the scenario tiny-fastify: node bench/chart.mjs RESULT.json
 * [docs/images/throughput.svg]. Requests per second of every side, with the range over the rounds.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { barChart, shortNumber } from '../dist/bench/svg.js';

const SCENARIO = 'tiny-fastify';
const LABELS = {
  'echo raw': 'raw echo',
  'sluice raw': 'Sluice',
  'fastify raw': 'fastify',
  'echo json': 'raw echo, JSON',
  'sluice json': 'Sluice, JSON',
  'fastify json': 'fastify, JSON',
};

const [file, out = 'docs/images/throughput.svg'] = process.argv.slice(2);
if (file === undefined) throw new Error('expected a result file of npm run bench');
const { machine, scenarios } = JSON.parse(readFileSync(file, 'utf8'));
const scenario = scenarios.find(({ name }) => name === SCENARIO);
if (scenario === undefined) throw new Error(`expected the scenario ${SCENARIO} in ${file}`);

const bars = Object.entries(LABELS).map(([side, label]) => {
  const { median, min, max } = scenario.sides[side].rate;
  return {
    label,
    parts: [median],
    note: `${shortNumber(median)} (${shortNumber(min)} - ${shortNumber(max)})`,
  };
});
const svg = barChart(['requests per second'], bars, {
  title: 'Perceptron 64-64-10, 32 connections: requests per second, median (range)',
  xLabel: `${machine.processor}, server on one core, load generator on the other; commit ${machine.commit}`,
  yLabel: 'requests per second',
  width: 860,
  height: 320,
});
mkdirSync(dirname(out), { recursive: true });
// An image of its own inherits no colours.
writeFileSync(out, `${svg.replace('<svg ', '<svg style="background:#fff;color:#111" ')}\n`);
console.log(`written to ${out}`);
