/**
 * What `npm run bench` measures, as data. A scenario has sides, which take turns in every round, and comparisons between
 * them; `id` is a comparison's name in the table of ratios. `control` is the side whose deviation throws a round away. Scenarios
 * with a `kind` have rounds of their own (overload.mjs); those with `takesPeers` are open to servers from a file; those with
 * `startsAnew` start their servers for each round. Layouts: P1 server on core 0 and generator on core 1, P2 wherever the system puts them, P3 both on core 0 (cost per request without waking another core).
 */

/** Requests by name: model, columns of the one row that is sent, and the form of its body. */
export const REQUESTS = {
  tinyRaw: { model: 'tiny', columns: 64, form: 'raw' },
  tinyRawKey: { model: 'tiny', columns: 64, form: 'raw', headers: { 'sluice-routing-key': 'user-7' } },
  tinyHead: { model: 'tiny', columns: 64, form: 'head' },
  tinyJson: { model: 'tiny', columns: 64, form: 'json' },
  midHead: { model: 'mid', columns: 512, form: 'head' },
  tinyFrame: { model: 'tiny', columns: 64, form: 'frame' },
  midFrame: { model: 'mid', columns: 512, form: 'frame' },
  wideHead: { model: 'identity_fp32', columns: 1000, form: 'head' },
  wideJson: { model: 'identity_fp32', columns: 1000, form: 'json' },
};

const echo = (request) => ({ server: 'echo', request });
const sluice = (request) => ({ server: 'sluice', request });
const fastify = (request) => ({ server: 'fastify', request });
const overWebSocket = (side) => ({ ...side, protocol: 'ws' });
const TINY_WS = { echo: overWebSocket(echo('tinyFrame')), sluice: overWebSocket(sluice('tinyFrame')) };
const TINY_BUNDLES = { ...TINY_WS.sluice, bundles: true };

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
    takesPeers: true,
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
      { id: 'R1', of: 'rate', subject: 'sluice raw', base: 'echo raw', atLeast: 0.85 },
      { id: 'R1', of: 'rate', subject: 'sluice head', base: 'echo head', atLeast: 0.85 },
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
      'echo json': echo('tinyJson'),
      'sluice json': sluice('tinyJson'),
      'fastify raw': fastify('tinyRaw'),
      'fastify json': fastify('tinyJson'),
    },
    compare: [
      { id: 'R6', of: 'p50Us', subject: 'sluice raw', base: 'echo raw', addsAtMost: 15 },
      { id: 'R6', of: 'p50Us', subject: 'sluice head', base: 'echo head', addsAtMost: 15 },
      { of: 'rate', subject: 'sluice raw', base: 'echo raw' },
      { id: 'R3', of: 'rate', subject: 'sluice raw', base: 'fastify raw', atLeast: 2.5 },
      { id: 'R3', of: 'rate', subject: 'sluice json', base: 'fastify json', atLeast: 3 },
      // What any server on this network layer could reach at most.
      { id: 'R3', of: 'rate', subject: 'echo raw', base: 'fastify raw' },
      { id: 'R3', of: 'rate', subject: 'echo json', base: 'fastify json' },
    ],
  },
  {
    name: 'tiny-fastify',
    takesPeers: true,
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
      { id: 'R3', of: 'rate', subject: 'sluice raw', base: 'fastify raw', atLeast: 2.5 },
      { id: 'R3', of: 'rate', subject: 'sluice json', base: 'fastify json', atLeast: 3 },
      { of: 'rate', subject: 'sluice json', base: 'echo json' },
      { id: 'R9', of: 'rate', subject: 'sluice json', base: 'sluice raw', atLeast: 0.6 },
    ],
  },
  {
    name: 'tiny-ws-1',
    title:
      'tiny as frames over one WebSocket, one under way, one core for both, beside the raw echo and HTTP',
    layout: 'P3',
    load: { connections: 1 },
    control: 'echo',
    sides: { ...TINY_WS, 'sluice, HTTP': sluice('tinyHead') },
    compare: [
      { id: 'R6', of: 'p50Us', subject: 'sluice', base: 'echo', addsAtMost: 15 },
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'sluice, HTTP', atLeast: 1.3 },
      { of: 'rate', subject: 'sluice', base: 'echo' },
    ],
  },
  {
    name: 'tiny-ws-1x16',
    title: 'tiny as frames over one WebSocket, 16 under way, beside the raw echo',
    layout: 'P1',
    load: { connections: 1, inFlight: 16 },
    control: 'echo',
    sides: { ...TINY_WS, 'sluice, bundles': TINY_BUNDLES },
    compare: [
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'echo', atLeast: 0.8 },
      { id: 'R2', of: 'rate', subject: 'sluice, bundles', base: 'echo', atLeast: 0.8 },
      { of: 'serverCpuUs', subject: 'sluice', base: 'echo' },
      { of: 'serverCpuUs', subject: 'sluice, bundles', base: 'echo' },
    ],
  },
  {
    name: 'tiny-ws-32',
    title: 'tiny as frames over 32 WebSockets, one under way each, beside the raw echo and HTTP',
    layout: 'P1',
    load: { connections: 32 },
    control: 'echo',
    sides: { ...TINY_WS, 'sluice, HTTP': sluice('tinyHead') },
    compare: [
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'echo', atLeast: 0.8 },
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'sluice, HTTP', atLeast: 1.3 },
      { of: 'serverCpuUs', subject: 'sluice', base: 'sluice, HTTP' },
    ],
  },
  {
    name: 'tiny-ws-32x16',
    title:
      'tiny as frames over 32 WebSockets, 16 under way each, beside the raw echo; HTTP with 32 connections',
    layout: 'P1',
    load: { connections: 32, inFlight: 16 },
    control: 'echo',
    sides: { ...TINY_WS, 'sluice, bundles': TINY_BUNDLES, 'sluice, HTTP': sluice('tinyHead') },
    compare: [
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'echo', atLeast: 0.8 },
      { id: 'R2', of: 'rate', subject: 'sluice', base: 'sluice, HTTP', atLeast: 1.3 },
      { id: 'R2', of: 'rate', subject: 'sluice, bundles', base: 'echo', atLeast: 0.8 },
      { of: 'serverCpuUs', subject: 'sluice', base: 'echo' },
      { of: 'serverCpuUs', subject: 'sluice, bundles', base: 'echo' },
    ],
  },
  {
    name: 'extras',
    title: 'tiny, 32 connections: what a deadline on every request costs',
    layout: 'P1',
    load: { connections: 32 },
    control: 'plain',
    sides: {
      plain: sluice('tinyHead'),
      'with deadline': { ...sluice('tinyHead'), headers: { 'Sluice-Deadline-Ms': '1000' } },
    },
    compare: [{ id: 'R10', of: 'rate', subject: 'with deadline', base: 'plain', atLeast: 0.95 }],
  },
  {
    name: 'json-1000',
    title: 'What JSON costs at 1,000 floats (identity, both ways)',
    layout: 'P1',
    load: { connections: 32 },
    control: 'echo json',
    sides: {
      'echo json': echo('wideJson'),
      'echo head': echo('wideHead'),
      'sluice head': sluice('wideHead'),
      'sluice json': sluice('wideJson'),
    },
    compare: [
      { id: 'R9', of: 'rate', subject: 'sluice json', base: 'sluice head', atLeast: 0.6 },
      // What the bytes of JSON cost before anybody reads a number of them.
      { of: 'rate', subject: 'echo json', base: 'echo head' },
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
      { id: 'R6', of: 'p50Us', subject: 'sluice head', base: 'echo head', addsAtMost: 15 },
      { id: 'R6', of: 'p99Us', subject: 'sluice head', base: 'echo head', addsAtMost: 100 },
    ],
  },
  {
    name: 'mid-64',
    title:
      'mid, 64 connections of one row each, one core for all of the server, beside the bare ONNX Runtime loop',
    // What a model costs depends on where its weights came to lie in the memory.
    startsAnew: true,
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
      { id: 'R4', of: 'serverCpuUs', subject: 'sluice', base: 'bare loop', atMost: 1.11 },
      { id: 'R5', of: 'rate', subject: 'sluice', base: 'sluice, batching off', atLeast: 5 },
    ],
  },
  {
    name: 'mid-ws',
    title:
      'mid as frames over 32 WebSockets, 4 rows under way each, one core for all of the server, beside the bare loop',
    // What a model costs depends on where its weights came to lie in the memory.
    startsAnew: true,
    layout: 'P1',
    load: { connections: 32, inFlight: 4 },
    control: 'bare loop',
    sides: {
      'bare loop': { program: 'ort-loop', model: 'mid' },
      sluice: overWebSocket(sluice('midFrame')),
    },
    compare: [
      { id: 'R4', of: 'rate', subject: 'sluice', base: 'bare loop', atLeast: 0.9 },
      { id: 'R4', of: 'serverCpuUs', subject: 'sluice', base: 'bare loop', atMost: 1.11 },
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
      { id: 'R4', of: 'rate', subject: 'sluice', base: 'bare loop', atLeast: 0.9 },
      { of: 'serverCpuUs', subject: 'sluice', base: 'bare loop' },
    ],
  },
  {
    name: 'overload',
    title:
      'mid without batching, deadline 100 ms: good answers at up to 10 times the ceiling over the ceiling before and after',
    kind: 'overload',
    layout: 'P1',
    load: { mode: 'poisson' },
    deadlineMs: 100,
    multiples: { sluice: [0.8, 1, 1.5, 2, 4, 10], fastify: [2, 10] },
    control: 'sluice ceiling',
    // A request costs so much that refusing ten times as many does not fill the core.
    sides: { sluice: { server: 'sluice-unbatched', request: 'midHead' }, fastify: fastify('midHead') },
    compare: [
      { id: 'R7', of: 'rate', subject: 'sluice 1.5x', base: 'sluice ceiling at 1.5x', atLeast: 0.95 },
      { id: 'R7', of: 'rate', subject: 'sluice 2x', base: 'sluice ceiling at 2x', atLeast: 0.95 },
      { id: 'R7', of: 'rate', subject: 'sluice 4x', base: 'sluice ceiling at 4x', atLeast: 0.92 },
      { id: 'R7', of: 'rate', subject: 'sluice 10x', base: 'sluice ceiling at 10x', atLeast: 0.9 },
      { id: 'R7', of: 'refusedP99Us', subject: 'sluice 10x', atMost: 5000 },
      { id: 'R7', of: 'recoveryS', subject: 'sluice after 10x', atMost: 2 },
      // Goodput is as noisy as the machine: this is what refusing takes from runs, however fast the machine is.
      { of: 'runShare', subject: 'sluice 1.5x', base: 'sluice ceiling at 1.5x' },
      { of: 'runShare', subject: 'sluice 2x', base: 'sluice ceiling at 2x' },
      { of: 'runShare', subject: 'sluice 4x', base: 'sluice ceiling at 4x' },
      { of: 'runShare', subject: 'sluice 10x', base: 'sluice ceiling at 10x' },
      { of: 'rate', subject: 'fastify 2x', base: 'fastify ceiling at 2x' },
      { of: 'rate', subject: 'fastify 10x', base: 'fastify ceiling at 10x' },
      { of: 'recoveryS', subject: 'fastify after 10x' },
    ],
  },
  {
    name: 'isolation',
    title: 'tiny at 1,000/s alone and beside mid at twice its ceiling, on one server with one core',
    kind: 'isolation',
    layout: 'P1',
    load: { mode: 'poisson' },
    deadlineMs: 1000,
    lightPerS: 1000,
    servers: ['sluice', 'fastify'],
    control: 'sluice light, alone',
    sides: {
      'sluice light': sluice('tinyHead'),
      'sluice heavy': sluice('midHead'),
      'fastify light': fastify('tinyHead'),
      'fastify heavy': fastify('midHead'),
    },
    compare: [
      {
        id: 'R8',
        of: 'p99Us',
        subject: 'sluice light, beside heavy',
        base: 'sluice light, alone',
        atMost: 4,
      },
      { id: 'R8', of: 'p50Us', subject: 'sluice light, beside heavy', base: 'sluice light, alone' },
      { of: 'p99Us', subject: 'fastify light, beside heavy', base: 'fastify light, alone' },
    ],
  },
  {
    name: 'split',
    title: 'tiny, 32 connections: what a split of 90 to 10 costs, with a routing key and drawn at random',
    layout: 'P1',
    load: { connections: 32 },
    control: 'off',
    sides: {
      off: sluice('tinyRaw'),
      'off, with a key': sluice('tinyRawKey'),
      'split, with a key': { server: 'sluice-split', request: 'tinyRawKey' },
      'split, at random': { server: 'sluice-split', request: 'tinyRaw' },
    },
    compare: [
      { of: 'rate', subject: 'split, with a key', base: 'off, with a key', atLeast: 0.95 },
      { of: 'rate', subject: 'split, at random', base: 'off' },
      { of: 'serverCpuUs', subject: 'split, with a key', base: 'off, with a key' },
    ],
  },
];
