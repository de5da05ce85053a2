/** Both forms of a model's configuration are read alike, and everything wrong is named with its place. */
import t from 'tap';
import { configDigest, type ModelConfig } from '../../src/models/config/model-config.js';
import { parsePbtxt } from '../../src/models/config/pbtxt.js';
import { readJsonConfig, readPbtxtConfig } from '../../src/models/config/read-config.js';

function fromText(text: string): ModelConfig {
  return readPbtxtConfig(text).config;
}

function fromJson(document: unknown): ModelConfig {
  return readJsonConfig(JSON.stringify(document)).config;
}

const ODD_BUT_LEGAL = `
# a comment with { braces } and "quotes"
name: "dig" 'its'   # adjacent literals, two quotes
backend: "onnxruntime";
max_batch_size: 0x20,
input [
  { name: "\\x61\\142c" data_type: TYPE_FP32 dims: [ 8, -1 ] },
  { name: 'b' data_type: 9 dims: 4 dims: 010 reshape: { shape: [ 32 ] } }
]
input < name: "c" data_type: TYPE_STRING, dims: [ 1 ]; reshape { shape: [ ] } >
output: { name: "y" data_type: TYPE_BF16 dims: [ 10 ] }
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 250 }
version_policy: { specific { versions: [ 2, 7 ] } }
parameters { key: "intra_op_thread_count" value: { string_value: "3" } }
parameters: [ { key: "sluice.execution" value { string_value: "worker" } } ]
`;

t.test(
  'text form: comments, both quotes, lists, angle brackets, hex, octal, enums by number and maps are read',
  (t) => {
    const config = fromText(ODD_BUT_LEGAL);
    t.equal(config.name, 'digits');
    t.equal(config.max_batch_size, 32);
    t.same(config.input, [
      { name: 'abc', data_type: 'FP32', dims: [8, -1] },
      { name: 'b', data_type: 'INT64', dims: [4, 8], reshape: { shape: [32] } },
      { name: 'c', data_type: 'BYTES', dims: [1], reshape: { shape: [] } },
    ]);
    t.same(config.output, [{ name: 'y', data_type: 'BF16', dims: [10] }]);
    t.equal(config.instance_group[0]?.count, 2);
    t.same(config.dynamic_batching?.preferred_batch_size, [4, 8]);
    t.equal(config.dynamic_batching?.max_queue_delay_microseconds, 250);
    t.same(config.version_policy?.specific?.versions, ['2', '7']);
    t.equal(config.runtime.intraOpThreads, 3);
    t.equal(config.execution, 'worker');
    t.end();
  },
);

t.test(
  'JSON form: both spellings, integers as strings and the sluice object give the same as the text form',
  (t) => {
    const config = fromJson({
      name: 'digits',
      backend: 'onnxruntime',
      maxBatchSize: 32,
      input: [
        { name: 'abc', dataType: 'TYPE_FP32', dims: ['8', -1] },
        { name: 'b', data_type: 9, dims: [4, 8], reshape: { shape: [32] } },
        { name: 'c', data_type: 'TYPE_STRING', dims: [1], reshape: { shape: [] } },
      ],
      output: [{ name: 'y', data_type: 'TYPE_BF16', dims: [10] }],
      instanceGroup: [{ count: 2, kind: 'KIND_CPU' }],
      dynamic_batching: { preferredBatchSize: [4, 8], max_queue_delay_microseconds: '250' },
      version_policy: { specific: { versions: [2, '7'] } },
      parameters: { intra_op_thread_count: { string_value: '3' } },
      sluice: { execution: 'worker' },
    });
    t.same(config, fromText(ODD_BUT_LEGAL));
    t.end();
  },
);

t.test('an integer beyond 2^53 is kept exact', (t) => {
  const config = fromText('version_policy { specific { versions: 9007199254740993 } }');
  t.same(config.version_policy?.specific?.versions, ['9007199254740993']);
  t.end();
});

t.test("the runtime's switches are read in both spellings", (t) => {
  const parameters = [
    ['execution_mode', '1'],
    ['enable_mem_arena', 'False'],
    ['enable_mem_pattern', '1'],
    ['intra_op_thread_count', '3'],
    ['sluice.intra_op_cpus', '4,6'],
  ].map(([key, value]) => `parameters { key: "${key}" value { string_value: "${value}" } }`);
  const { runtime, intraOpCpus } = fromText(parameters.join('\n'));
  t.same(runtime, {
    intraOpThreads: 3,
    interOpThreads: 0,
    executionMode: 'parallel',
    usesArena: false,
    usesMemoryPattern: true,
  });
  t.same(intraOpCpus, [4, 6]);
  t.end();
});

const BAD_TEXT: Array<[what: string, text: string, message: RegExp]> = [
  [
    'unknown field',
    'name: "a"\nmax_batchsize: 4\n',
    /^config\.pbtxt line 2 column 1: unknown field "max_batchsize" .*did you mean "max_batch_size"/,
  ],
  [
    'unknown nested field',
    'input {\n  name: "x"\n  dimz: 4\n}',
    /line 3 column 3: unknown field "dimz" of ModelInput \(did you mean "dims"/,
  ],
  ['singular field twice', 'name: "a"\n\nname: "b"\n', /line 3 column 9: ModelConfig\.name: multiple values/],
  [
    'two of one choice',
    'dynamic_batching { }\nsequence_batching { }',
    /line 2 column 21: scheduling_choice: multiple values/,
  ],
  [
    'string where a number is due',
    'name: "a"\nmax_batch_size: "4"',
    /line 2 column 1[79]: integer value expected/,
  ],
  ['number where a string is due', '\n\nname: 4', /line 3 column 7: expected string/],
  [
    'unknown enum',
    'input { name: "x" data_type: TYPE_FP33 dims: 1 }',
    /line 1 column 30: .*enum value expected/,
  ],
  ['open brace', 'name: "a"\ninput {\n', /line [23] column \d+: expected '}'/],
  ['not this language', '{"name": "a"}', /line 1 column 1: illegal field name/],
  [
    'ensembles',
    'ensemble_scheduling { step [ { model_name: "a" model_version: -1 } ] }',
    /^config\.pbtxt line 1 column 1: ensemble_scheduling: ensembles are not served/,
  ],
  ['other backend', 'backend: "python"', /backend: expected "onnxruntime", got "python"/],
  [
    'other platform',
    'platform: "tensorrt_plan"',
    /platform: expected "onnxruntime_onnx", got "tensorrt_plan"/,
  ],
  ['decoupled', 'model_transaction_policy { decoupled: true }', /model_transaction_policy\.decoupled/],
  [
    'ragged',
    'input { name: "x" data_type: TYPE_FP32 dims: -1 allow_ragged_batch: true }',
    /input\[0\]\.allow_ragged_batch/,
  ],
  [
    'zero dimension',
    'input { name: "x" data_type: TYPE_FP32 dims: [ 4, 0 ] }',
    /input\[0\]\.dims\[1\]: expected a dimension/,
  ],
  ['no dims', 'input { name: "x" data_type: TYPE_FP32 }', /input\[0\]\.dims/],
  ['no data type', 'input { name: "x" dims: 1 }', /input\[0\]\.data_type: expected a data_type/],
  ['negative batch', 'max_batch_size: -1', /max_batch_size/],
  [
    'latest of none',
    'version_policy { latest { } }',
    /version_policy\.latest\.num_versions: expected num_versions of at least 1/,
  ],
  [
    'priority level',
    'dynamic_batching { priority_levels: 2 default_priority_level: 3 }',
    /default_priority_level: expected a level/,
  ],
  [
    'folder in a file name',
    'default_model_filename: "../x.onnx"',
    /default_model_filename: expected a file name/,
  ],
  [
    'tensor twice',
    'input [ { name: "x" data_type: TYPE_FP32 dims: 1 }, { name: "x" data_type: TYPE_FP32 dims: 1 } ]',
    /tensor "x" is listed twice/,
  ],
  [
    'thread count',
    'parameters { key: "intra_op_thread_count" value { string_value: "two" } }',
    /expected a number of threads/,
  ],
  [
    'execution mode',
    'parameters { key: "execution_mode" value { string_value: "2" } }',
    /parameters\["execution_mode"\]: expected 0 \(sequential\) or 1 \(parallel\), got "2"/,
  ],
  [
    'arena',
    'parameters { key: "enable_mem_arena" value { string_value: "yes" } }',
    /parameters\["enable_mem_arena"\]: expected 0, 1, false or true, got "yes"/,
  ],
  [
    'CPUs that are none',
    'parameters { key: "sluice.intra_op_cpus" value { string_value: "one" } }',
    /sluice\.intra_op_cpus: expected a list of CPUs such as "2,4-6", got "one"/,
  ],
  [
    'CPUs for threads that are not there',
    'parameters { key: "sluice.intra_op_cpus" value { string_value: "1,2" } }',
    /intra_op_cpus: expected one CPU less than intra_op_thread_count \(not given\).*got 2/,
  ],
  [
    'unknown sluice parameter',
    'parameters { key: "sluice.excution" value { string_value: "auto" } }',
    /column 1: parameters\["sluice\.excution"\]: unknown field \(did you mean "execution"/,
  ],
  [
    'unknown execution',
    'parameters { key: "sluice.execution" value { string_value: "fast" } }',
    /parameters\["sluice\.execution"\]: /,
  ],
];

for (const [what, text, message] of BAD_TEXT) {
  t.test(`text form, ${what}: refused with its place`, (t) => {
    t.throws(() => fromText(text), { code: 'CONFIG_INVALID', message });
    t.end();
  });
}

const BAD_JSON: Array<[what: string, text: string, message: RegExp]> = [
  [
    'unknown field',
    '{"input":[{"name":"x","dimz":[1]}]}',
    /^config\.json line 1 column 23: input\[0\]\.dimz: unknown field of ModelInput \(did you mean "dims"/,
  ],
  [
    '__proto__',
    '{"__proto__":{"max_batch_size":4}}',
    /config\.json line 1 column 2: __proto__: unknown field/,
  ],
  ['constructor', '{"constructor":1}', /config\.json line 1 column 2: constructor: unknown field/],
  [
    'unknown sluice field',
    '{"sluice":{"executon":"auto"}}',
    /config\.json line 1 column 12: sluice\.executon: unknown field \(did you mean "execution"/,
  ],
  [
    'fraction',
    '{"max_batch_size":4.5}',
    /config\.json line 1 column 2: max_batch_size: expected an int32 .*got 4\.5/,
  ],
  [
    'out of range',
    '{"max_batch_size":"2147483648"}',
    /config\.json line 1 column 2: max_batch_size: expected an int32, got/,
  ],
  [
    'boolean as a number',
    '{"dynamic_batching":{"preserve_ordering":1}}',
    /preserve_ordering: expected true or false, got 1/,
  ],
  [
    'order on the loop',
    '{"dynamic_batching":{"preserve_ordering":true},"sluice":{"execution":"inline"}}',
    /dynamic_batching\.preserve_ordering: expected false where sluice\.execution is inline/,
  ],
  [
    'both spellings',
    '{"max_batch_size":1,"maxBatchSize":2}',
    /line 1 column 21: max_batch_size: given twice/,
  ],
  [
    'two of one choice',
    '{"version_policy":{"all":{},"latest":{"num_versions":1}}}',
    /latest: cannot be given together with all/,
  ],
  ['a list as the document', '[]', /config\.json: expected an object/],
  ['broken JSON', '{\n  "name": "a",\n  oops\n}', /config\.json line 3 column 3: not JSON/],
  ['deep nesting', `{"parameters":${'['.repeat(200)}${']'.repeat(200)}}`, /parameters: expected an object/],
  [
    'unknown enum',
    '{"input":[{"name":"x","data_type":"FP32","dims":[1]}]}',
    /data_type: expected one of .*TYPE_FP32.*got "FP32"/,
  ],
];

/** Over many lines, in the ways in which people write JSON: the place is that of the key, in a list that of the item. */
const JSON_PLACES: Array<[what: string, text: string, message: RegExp]> = [
  [
    'unknown field of a nested object',
    '{\n  "dynamic_batching": {\n    "max_queue_delay_microseconds": 5,\n    "prefered_batch_size": [1]\n  }\n}',
    /^config\.json line 4 column 5: dynamic_batching\.prefered_batch_size: unknown field/,
  ],
  [
    'wrong type deep in lists, behind texts that look like JSON',
    '{"name":"a}],{\\"[",\r\n"input":[{"name":"x\\n","dims":[1]},\r\n\t{ "name" : "y",\r\n\t  "dims": [1,\r\n\t\ttrue] }]}',
    /^config\.json line 5 column 3: input\[1\]\.dims\[1\]: expected an int64 .*got true/,
  ],
  [
    'wrong type in a map',
    '{\n "parameters": {\n  "a": {"string_value": "x"},\n  "b": {"stringValue":\n 3}}}',
    /^config\.json line 4 column 9: parameters\["b"\]\.string_value: expected a string, got 3/,
  ],
  [
    'a value that only the checks after the reading refuse',
    '\uFEFF{\n "maxBatchSize": 4,\n "instanceGroup": [{"count": 1},\n  {"count": 999}]}',
    /^config\.json line 4 column 4: instance_group\[1\]\.count: /,
  ],
  [
    'what is not served',
    '{"max_batch_size": 4,\n  "ensembleScheduling": {}}',
    /^config\.json line 2 column 3: ensemble_scheduling: ensembles are not served/,
  ],
  [
    'a field of sluice',
    '{\n"sluice": {\n "execution": "worker",\n "weight": 0 } }',
    /^config\.json line 4 column 2: sluice\.weight: /,
  ],
  [
    'the first field behind one that is far too deep',
    `{"sluice":{"x":${'[{"y":'.repeat(5000)}1${'}]'.repeat(5000)}},\n "max_batch_size": 4.5}`,
    /^config\.json line 2 column 2: max_batch_size: expected an int32/,
  ],
];

for (const [what, text, message] of [...BAD_JSON, ...JSON_PLACES]) {
  t.test(`JSON form, ${what}: refused with its place`, (t) => {
    t.throws(() => readJsonConfig(text), { code: 'CONFIG_INVALID', message });
    t.end();
  });
}

t.test('map keys named like members of Object stay plain keys', (t) => {
  const raw = parsePbtxt('parameters { key: "__proto__" value { string_value: "x" } }', 'config.pbtxt');
  t.same([...(raw['parameters'] as Map<string, unknown>).keys()], ['__proto__']);
  t.equal(({} as Record<string, unknown>)['string_value'], undefined);
  t.end();
});

t.test('what changes no answer is ignored, and the warning names it', (t) => {
  const text = `model_warmup { name: "w" batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: 4 zero_data: true } } }
    metric_tags { key: "team" value: "a" } optimization { graph { level: 1 } eager_batching: true }
    parameters { key: "gpu_mem_limit" value { string_value: "0" } }`;
  t.same(readPbtxtConfig(text).warnings, [
    'config.pbtxt line 2 column 5: metric_tags: ignored: metrics have the labels of docs/metrics.md',
    'config.pbtxt line 3 column 5: parameters["gpu_mem_limit"]: ignored: nothing reads it',
  ]);
  const json = '{"parameters":{"gpu_mem_limit":{"string_value":"0"}}}';
  t.same(readJsonConfig(json).warnings, [
    'config.json line 1 column 16: parameters["gpu_mem_limit"]: ignored: nothing reads it',
  ]);
  t.end();
});

t.test("the graph's level is Triton's number", (t) => {
  const levels = [0, -1, 1, 2].map((level) => fromText(`optimization { graph { level: ${level} } }`));
  t.same(
    levels.map(({ runtime }) => runtime.graphOptimization),
    [undefined, 'basic', 'extended', 'none'],
  );
  t.end();
});

/** What is legal and not served, each behind everything that may stand before it in a text. */
const PLACES: Array<[what: string, text: string, message: RegExp]> = [
  ['behind comments', '# { name: "a"\n  # backend\n  backend: "python"', /line 3 column 3: backend/],
  [
    'the second of two, given one by one',
    'input { name: "a" data_type: TYPE_FP32 dims: 1 }\ninput < name: "b" data_type: TYPE_FP32 dims: 1\n\toptional: true >',
    /line 3 column 2: input\[1\]\.optional/,
  ],
  [
    'in a list of messages',
    'instance_group [\n { count: 1 },\n { kind: 3 } ]',
    /line 3 column 4: instance_group\[1\]\.kind/,
  ],
  [
    'a number in a list, by value',
    'dynamic_batching {\n  preferred_batch_size: [ 4,\n 0 ] }',
    /line 3 column 2: dynamic_batching\.preferred_batch_size\[1\]/,
  ],
  [
    'behind texts with brackets, quotes and escapes',
    `name: "{ \\" [" ' }' ; parameters { value { string_value: "#" }, key: 'a' }\nparameters {\n key: "x\\x2ey" value < string_value: "1" > } model_transaction_policy { decoupled: t }`,
    /line 3 column 73: model_transaction_policy\.decoupled/,
  ],
  [
    'in the value of a map whose key comes last',
    'dynamic_batching { priority_levels: 2 default_priority_level: 1\n priority_queue_policy { value {\n max_queue_size: 1 default_timeout_microseconds: 9999999999 } key: 0x1 } }',
    /line 3 column 20: dynamic_batching\.priority_queue_policy\.1\.default_timeout/,
  ],
  [
    'a field that is missing: where its message begins',
    'input {\n  name: "x" dims: 1 }\n input { name: "y" data_type: TYPE_FP32 }',
    /line 1 column 1: input\[0\]\.data_type/,
  ],
  [
    'tensor twice',
    'output [ { name: "x" data_type: TYPE_FP32 dims: 1 },\n{ name: "x" data_type: TYPE_FP32 dims: 1 } ]',
    /line 2 column 1: output\[1\]: tensor "x" is listed twice/,
  ],
  ['a byte order mark', '\uFEFFplatform: "tensorrt_plan"', /line 1 column 1: platform/],
  [
    'a format without three dims',
    'input { name: "x" data_type: TYPE_FP32\nformat: FORMAT_NHWC dims: 4 }',
    /line 2 column 1: input\[0\]\.format: expected FORMAT_NONE/,
  ],
  [
    'a level that is none',
    'optimization {\n graph { level: 7 } }',
    /line 2 column 10: optimization\.graph\.level: expected -1, 0, 1 or 2/,
  ],
  [
    'an unknown accelerator',
    'optimization { execution_accelerators {\n gpu_execution_accelerator : [ { name : "fast" } ] } }',
    /line 2 column 34: .*expected tensorrt or cuda, got "fast"/,
  ],
  [
    'another GPU',
    'instance_group { kind: KIND_GPU\n gpus: [ 1 ] }',
    /line 2 column 2: instance_group\[0\]\.gpus: expected GPU 0/,
  ],
  [
    'a GPU for the CPU',
    'instance_group { kind: KIND_CPU gpus: 0 }',
    /column 33: instance_group\[0\]\.gpus: expected none with KIND_CPU/,
  ],
];

for (const [what, text, message] of PLACES) {
  t.test(`the place of what is not served: ${what}`, (t) => {
    t.throws(() => readPbtxtConfig(text), { code: 'CONFIG_INVALID', message });
    t.end();
  });
}

t.test('GPU 0 is taken where a GPU is asked for, and left where none is', (t) => {
  t.same(readPbtxtConfig('instance_group { kind: KIND_GPU gpus: [ 0 ] }').warnings, []);
  t.match(readPbtxtConfig('instance_group { gpus: [ 0 ] }').warnings, [
    /column 18: instance_group\[0\]\.gpus: ignored/,
  ]);
  t.end();
});

t.test('configurations that differ in a map only are not the same', (t) => {
  const withData = (data: string) =>
    configDigest(
      fromText(`model_warmup { inputs { key: "x" value { data_type: TYPE_FP32 dims: 1 ${data}: true } } }`),
    );
  t.equal(withData('zero_data'), withData('zero_data'));
  t.not(withData('zero_data'), withData('random_data'));
  t.end();
});
