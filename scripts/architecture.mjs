// The floors and doors of both languages, as data; checked by check-architecture.mjs.
// A unit is the first folder (or the file) below src/ or native/. It uses units of lower floors only: units that share a
// floor do not know one another. A door is a foreign module that only the named units may use.

export const TYPESCRIPT = {
  root: 'src',
  // Lowest first.
  floors: [
    ['core'],
    ['access', 'models', 'routing', 'engine', 'metrics', 'shadow', 'canary'],
    ['serving'],
    ['transport'],
    ['config'],
    ['server'],
    ['cli'],
  ],
  // Apart from the server: they use nothing of it; only the units named here use them.
  islands: { bench: ['cli'], client: ['cli'], wire: ['bench', 'client', 'serving', 'transport'] },
  doors: [
    { what: 'uWebSockets.js', pattern: /^uWebSockets\.js(\/|$)/, only: ['transport', 'server'] },
    { what: 'prom-client', pattern: /^(prom-client|@prometheus-io\/client)(\/|$)/, only: ['metrics'] },
    { what: 'flatbuffers', pattern: /^flatbuffers(\/|$)/, only: ['wire', 'bench', 'client'] },
    { what: 'the .node file', pattern: /\.node$/, only: ['engine'] },
    { what: 'onnxruntime-node', pattern: /^onnxruntime-node(\/(?!package\.json$)|$)/, only: [] },
  ],
};

export const NATIVE = {
  root: 'native',
  // A header and its body are one unit in the search for circles: a.cc -> b.h with b.cc -> a.h is one.
  pairsAreUnits: true,
  // compare is arithmetic over bytes that others own: it needs the words of base and nothing else.
  floors: [
    ['base'],
    ['memory', 'compare'],
    ['schedule'],
    ['run', 'codec'],
    ['engine'],
    ['shadow'],
    ['binding'],
    ['addon'],
  ],
  doors: [
    {
      what: "Node's headers",
      pattern: /^(napi(-inl)?|node_api(_types)?|js_native_api(_types)?|node|v8|uv)\.h$/,
      only: ['binding'],
    },
    {
      what: "ONNX Runtime's headers",
      pattern: /(^|\/)(onnxruntime_|tensorrt_provider|cpu_provider)[^/]*$/,
      only: ['run'],
    },
    { what: 'simdjson', pattern: /^simdjson(\/|\.h$)/, only: ['codec'] },
    { what: 'FlatBuffers', pattern: /^flatbuffers\/|_generated\.h$/, only: ['codec'] },
    {
      what: 'CUDA',
      pattern: /^(cuda|cublas|cudnn|curand|cufft|nvml|nvToolsExt|NvInfer)[^/]*$|^(cub|thrust|nvtx3)\//,
      only: [],
    },
  ],
};

// Native code outside native/, and the units of it that it may use.
export const NATIVE_GUESTS = [
  { folder: 'bench', may: ['base', 'memory', 'schedule', 'codec', 'engine'] },
  {
    folder: 'test/native',
    may: ['base', 'memory', 'compare', 'schedule', 'run', 'codec', 'engine', 'shadow'],
  },
];
