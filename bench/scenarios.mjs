/**
 * What `npm run bench` measures, as data. A scenario has sides, which take turns in every round, and comparisons between
 * them. `control` is the side whose deviation throws a round away. Layouts: P1 server on core 0 and generator on core 1,
 * P2 wherever the system puts them, P3 both on core 0 (cost per request without waking another core).
 */

/** Requests by name: model, columns of the one row that is sent, and the form of its body. */
export const REQUESTS = {
  tinyRaw: { model: 'tiny', columns: 64, form: 'raw' },
  tinyHead: { model: 'tiny', columns: 64, form: 'head' },
  tinyJson: { model: 'tiny', columns: 64, form: 'json' },
  midHead: { model: 'mid', columns: 512, form: 'head' },
  wideHead: { model: 'identity_fp32', columns: 1000, form: 'head' },
  wideJson: { model: 'identity_fp32', columns: 1000, form: 'json' },
};

const echo = (request) => ({ server: 'echo', request });
const sluice = (request) => ({ server: 'sluice', request });
const fastify = (request) => ({ server: 'fastify', request });

export const SCENARIOS = [
  {
    name: 'generator',
    title: 'The generator beside wrk, both against the raw echo, 32 connections',
    layout: 'P1',
    load: { connections: 32 },
    control: 'wrk',
    sides: {
      wrk: { ...echo('tinyRaw'), generator: 'wrk' },
      'sluice-load': echo('tinyRaw'),
      'sluice-load, WebSocket': { ...echo('tinyRaw'), protocol: 'ws' },
    },
    compare: [
      { of: 'rate', subject: 'sluice-load', base: 'wrk', atLeast: 1 },
      { of: 'generatorCpuUs', subject: 'sluice-load', base: 'wrk', atMost: 1 },
      { of: 'rate', subject: 'sluice-load, WebSocket', base: 'sluice-load' },
    ],
  },
  {
    name: 'tiny-32',
    title: 'tiny, binary, 32 connections, beside the raw echo of the same bytes',
    layout: 'P1',
    load: { connections: 32 },
    control: 'echo raw',
    sides: {
      'echo raw': echo('tinyRaw'),
      'sluice raw': sluice('tinyRaw'),
      'echo head': echo('tinyHead'),
      'sluice head': sluice('tinyHead'),
    },
    compare: [
      { of: 'rate', subject: 'sluice raw', base: 'echo raw', atLeast: 0.8 },
      { of: 'rate', subject: 'sluice head', base: 'echo head', atLeast: 0.8 },
      { of: 'serverCpuUs', subject: 'sluice raw', base: 'echo raw' },
    ],
  },
  {
    name: 'tiny-1',
    title: 'tiny, one connection, server and generator on one core',
    layout: 'P3',
    load: { connections: 1 },
    control: 'echo raw',
    sides: {
      'echo raw': echo('tinyRaw'),
      'sluice raw': sluice('tinyRaw'),
      'echo head': echo('tinyHead'),
      'sluice head': sluice('tinyHead'),
      'sluice json': sluice('tinyJson'),
      'fastify raw': fastify('tinyRaw'),
      'fastify json': fastify('tinyJson'),
    },
    compare: [
      { of: 'p50Us', subject: 'sluice raw', base: 'echo raw', addsAtMost: 15 },
      { of: 'p50Us', subject: 'sluice head', base: 'echo head', addsAtMost: 15 },
      { of: 'rate', subject: 'sluice raw', base: 'echo raw' },
      { of: 'rate', subject: 'sluice raw', base: 'fastify raw' },
      { of: 'rate', subject: 'sluice json', base: 'fastify json' },
    ],
  },
  {
    name: 'tiny-fastify',
    title: 'tiny, 32 connections, beside fastify + onnxruntime-node; what JSON costs',
    layout: 'P1',
    load: { connections: 32 },
    control: 'echo raw',
    sides: {
      'echo raw': echo('tinyRaw'),
      'echo json': echo('tinyJson'),
      'sluice raw': sluice('tinyRaw'),
      'sluice json': sluice('tinyJson'),
      'fastify raw': fastify('tinyRaw'),
      'fastify json': fastify('tinyJson'),
    },
    compare: [
      { of: 'rate', subject: 'sluice raw', base: 'fastify raw', atLeast: 2.5 },
      { of: 'rate', subject: 'sluice json', base: 'fastify json', atLeast: 3 },
      { of: 'rate', subject: 'sluice json', base: 'echo json' },
      { of: 'rate', subject: 'sluice json', base: 'sluice raw', atLeast: 0.6 },
    ],
  },
  {
    name: 'json-1000',
    title: 'What JSON costs at 1,000 floats (identity, both ways)',
    layout: 'P1',
    load: { connections: 32 },
    control: 'echo json',
    sides: {
      'echo json': echo('wideJson'),
      'sluice head': sluice('wideHead'),
      'sluice json': sluice('wideJson'),
    },
    compare: [
      { of: 'rate', subject: 'sluice json', base: 'sluice head', atLeast: 0.6 },
      { of: 'rate', subject: 'sluice json', base: 'echo json' },
    ],
  },
  {
    name: 'tiny-open',
    title: 'tiny, open loop (Poisson, 20,000/s), 64 connections, beside the raw echo',
    layout: 'P1',
    load: { connections: 64, mode: 'poisson', rate: 20_000 },
    control: 'echo head',
    sides: { 'echo head': echo('tinyHead'), 'sluice head': sluice('tinyHead') },
    compare: [
      { of: 'p50Us', subject: 'sluice head', base: 'echo head', addsAtMost: 15 },
      { of: 'p99Us', subject: 'sluice head', base: 'echo head', addsAtMost: 100 },
    ],
  },
  {
    name: 'mid-64',
    title:
      'mid, 64 connections of one row each, one core for all of the server, beside the bare ONNX Runtime loop',
    layout: 'P1',
    load: { connections: 64 },
    control: 'bare loop',
    sides: {
      'bare loop': { program: 'ort-loop', model: 'mid' },
      sluice: sluice('midHead'),
      'sluice, batching off': { server: 'sluice-unbatched', request: 'midHead' },
    },
    compare: [
      { of: 'rate', subject: 'sluice', base: 'bare loop' },
      { of: 'serverCpuUs', subject: 'sluice', base: 'bare loop' },
      { of: 'rate', subject: 'sluice', base: 'sluice, batching off', atLeast: 5 },
    ],
  },
  {
    name: 'mid-64-one-worker',
    title: 'mid, 64 connections of one row each, one worker thread beside the loop, nothing pinned',
    layout: 'P2',
    load: { connections: 64 },
    control: 'bare loop',
    sides: {
      'bare loop': { program: 'ort-loop', model: 'mid' },
      sluice: { server: 'sluice-one-worker', request: 'midHead' },
    },
    compare: [
      { of: 'rate', subject: 'sluice', base: 'bare loop', atLeast: 0.85 },
      { of: 'serverCpuUs', subject: 'sluice', base: 'bare loop' },
    ],
  },
];
