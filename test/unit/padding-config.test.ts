/** Padding rules: what a configuration may say, what the engine gets of it, and the words in which the rest is refused. */
import t from 'tap';
import type { DataType } from '../../src/core/data-types.js';
import type { ModelSignature } from '../../src/core/model.js';
import { completeConfig } from '../../src/models/config/complete.js';
import { readJsonConfig, readPbtxtConfig } from '../../src/models/config/read-config.js';
import { makeServePlan } from '../../src/models/config/serve-plan.js';
import { tritonJson } from '../../src/models/config/triton-json.js';

function tensor(name: string, datatype: DataType, ...shape: number[]) {
  return { name, datatype, shape: [-1, ...shape] };
}

const BERT: ModelSignature = {
  inputs: [
    tensor('input_ids', 'INT64', -1),
    tensor('attention_mask', 'INT64', -1),
    tensor('token_type_ids', 'INT64', -1),
    tensor('image', 'UINT8', 3, -1, -1),
    tensor('text', 'BYTES', -1),
    tensor('scale', 'FP32', 4),
    tensor('half', 'FP16', -1),
  ],
  outputs: [tensor('last_hidden_state', 'FP32', -1, 768), tensor('pooler_output', 'FP32', 768)],
};

function read(padding: unknown, more: object = {}) {
  return readJsonConfig(JSON.stringify({ max_batch_size: 8, ...more, sluice: { padding } }));
}

function plan(padding: unknown, more: object = {}) {
  const given = read(padding, more);
  return makeServePlan(completeConfig(given.config, BERT, 'm'), BERT, '1').padding;
}

const RULE = { inputs: { input_ids: {} }, lengths: [16, 32], mask: 'attention_mask' };

t.test('a rule is resolved against the model', async (t) => {
  t.same(plan([{ ...RULE, inputs: { input_ids: { value: 7 }, token_type_ids: {} } }]), [
    {
      inputs: [
        { name: 'input_ids', dim: 0, value: 7 },
        { name: 'token_type_ids', dim: 0, value: 0 },
      ],
      lengths: [16, 32],
      mask: { name: 'attention_mask', dim: 0 },
      outputs: [{ name: 'last_hidden_state', dims: [0] }],
    },
  ]);
  const [doubling] = plan([{ inputs: { image: { dim: 2 } }, lengths: { from: 12, to: 100 }, outputs: {} }]);
  t.same(doubling, {
    ...{ inputs: [{ name: 'image', dim: 2, value: 0 }], lengths: [12, 24, 48, 96, 100] },
    ...{ mask: undefined, outputs: [] },
  });
  t.same(makeServePlan(completeConfig(read([RULE]).config, BERT, 'm'), BERT, '1').padding.length, 1);
});

t.test('parameters of config.pbtxt carry the same words as JSON', async (t) => {
  const text = `max_batch_size: 8
    parameters { key: "sluice.padding" value { string_value: '${JSON.stringify([RULE])}' } }`;
  const given = readPbtxtConfig(text);
  t.same(given.config.padding, read([RULE]).config.padding);
  const broken = text.replace('}]', '}');
  t.throws(() => readPbtxtConfig(broken), {
    message: /^config\.pbtxt line 2 column 5: parameters\["sluice\.padding"\]: expected a list of rules/,
  });
});

t.test('the configuration that is told can be given again', async (t) => {
  const given = read([RULE]);
  const json = tritonJson(given, completeConfig(given.config, BERT, 'm'));
  const { config } = readJsonConfig(JSON.stringify(json));
  t.same(makeServePlan(completeConfig(config, BERT, 'm'), BERT, '1').padding, plan([RULE]));
});

const REFUSED: ReadonlyArray<readonly [unknown, RegExp]> = [
  [{}, /sluice\.padding: expected a list of rules/],
  [[{ ...RULE, inputs: {} }], /padding\[0\]\.inputs: expected at least one input/],
  [[{ ...RULE, lenghts: [1] }], /padding\[0\]: unknown field "lenghts"/],
  [[{ ...RULE, lengths: [16, 16] }], /padding\[0\]\.lengths: expected lengths in ascending order/],
  [[{ ...RULE, lengths: [32, 16] }], /padding\[0\]\.lengths: expected lengths in ascending order/],
  [[{ ...RULE, lengths: [0] }], /padding\[0\]\.lengths\[0\]: expected lengths from 1 to/],
  [[{ ...RULE, lengths: { from: 64, to: 16 } }], /padding\[0\]\.lengths: expected from to be at most to/],
  [
    [{ ...RULE, inputs: { input_id: {} } }],
    /\[0\]\.inputs: expected an input of the model .*did you mean "input_ids"/,
  ],
  [[{ ...RULE, inputs: { scale: {} } }], /expected one dimension that varies \(-1\), "scale" has dims \[4\]/],
  [[{ ...RULE, inputs: { image: {} } }], /or "dim" to say which, "image" has dims \[3, -1, -1\]/],
  [
    [{ ...RULE, inputs: { image: { dim: 0 } } }],
    /expected a dimension that varies \(-1\) at 0 of "image".*fixed size 3/,
  ],
  [[{ ...RULE, inputs: { image: { dim: 3 } } }], /at 3 of "image".*got no such dimension/],
  [[{ ...RULE, inputs: { text: {} } }], /expected numbers to pad, "text" holds strings \(BYTES\)/],
  [
    [{ ...RULE, inputs: { input_ids: { value: 0.5 } } }],
    /expected a whole number from -\d+ to \d+ as the value for "input_ids"/,
  ],
  [
    [{ ...RULE, inputs: { image: { dim: 1, value: 256 } } }],
    /expected a whole number from 0 to 255 as the value for "image"/,
  ],
  [
    [{ ...RULE, inputs: { half: { value: 257 } } }],
    /expected a whole number from -256 to 256 as the value for "half"/,
  ],
  [[{ ...RULE, mask: 'mask' }], /\[0\]\.mask: expected an input of the model/],
  [[{ ...RULE, mask: 'input_ids' }], /expected each tensor in one place, "input_ids" is named twice/],
  [
    [{ ...RULE, outputs: { pooler_output: {} } }],
    /\[0\]\.outputs: expected a dimension that varies \(-1\), "pooler_output"/,
  ],
  [
    [{ ...RULE, outputs: { last_hidden_state: { dims: [1] } } }],
    /at 1 of "last_hidden_state".*fixed size 768/,
  ],
  [
    [RULE, { inputs: { token_type_ids: {} }, lengths: [8] }],
    /expected "outputs", because there are several rules and outputs that vary \(last_hidden_state\)/,
  ],
];

t.test('what does not fit is refused by name', async (t) => {
  for (const [padding, message] of REFUSED)
    t.throws(() => plan(padding), { code: 'CONFIG_INVALID', message });
  const single: ModelSignature = {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [2] }],
  };
  const { config } = read([{ inputs: { x: {} }, lengths: [4] }], { max_batch_size: 0 });
  t.throws(() => completeConfig(config, single, 'm'), /expected max_batch_size above 0/);
  const optional = { input: [{ name: 'input_ids', data_type: 'TYPE_INT64', dims: [-1], optional: true }] };
  t.throws(() => read([RULE], optional), /input\[0\]\.optional: expected false for an input that is no mask/);
});
