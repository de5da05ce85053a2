/**
 * A repository as somebody who comes from Triton has it: config.pbtxt files in every legal way of writing, models of this
 * server's kind and of others. `REFUSED` says, for each that is not served, where its file says why.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODELS = fileURLToPath(new URL('../../build/models', import.meta.url));

interface TritonModel {
  /** A model of build/models; without one, `files` stand in its version folder. */
  readonly from?: string;
  readonly files?: readonly string[];
  /** Beside the version folders. */
  readonly others?: Readonly<Record<string, string>>;
  readonly config: string;
}

const IO_SUM = `
input [
  { name: "INPUT0" data_type: TYPE_FP32 dims: [ 16 ] },
  { name: "INPUT1" data_type: TYPE_FP32 dims: [ 16 ] }
]
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 16 ] } ]
`;

export const SERVED: Readonly<Record<string, TritonModel>> = {
  // Separators, both quotes, texts in pieces, angle brackets, numbers of three bases, an enum by its number.
  odd: {
    from: 'add_sub',
    config: `# a comment with { [ < "
name: "o" 'd' "\\x64" ; platform: "onnxruntime_onnx",
max_batch_size: 0x10;
input: < name: 'INPUT0', data_type: 11; dims: 020 >
input { name: "INPUT1" data_type: TYPE_FP32 dims: [ 0x10 ] format: FORMAT_NONE }
output: [ { name: "OUTPUT1"; data_type: TYPE_FP32; dims: [ 16 ] } ]   # OUTPUT0 is left out
dynamic_batching: { preferred_batch_size: 4; preferred_batch_size: [ 8, 16 ] max_queue_delay_microseconds: 100 }
parameters { key: "intra_op_thread_count" value: { string_value: "1" } }
parameters: [ { value < string_value: "#1" > key: 'note' } ]
`,
  },
  all_versions: {
    from: 'versioned',
    config: `version_policy: { all { } }
default_model_filename: "model.onnx"
instance_group [ { name: "pair" count: 2 kind: KIND_CPU } ]
response_cache { enable: true }
`,
  },
  one_version: {
    from: 'versioned',
    others: { 'labels.txt': 'a\nb\nc\nd\n' },
    config: `version_policy { specific { versions: [ 1, 9 ] } }
max_batch_size: 4
input { name: "INPUT0" data_type: TYPE_FP32 dims: 4 }
output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 2, 2 ] reshape { shape: [ 4 ] } label_filename: "labels.txt" }
instance_group { count: 1 rate_limiter { resources [ { name: "R1" global: true count: 2 } ] priority: 2 } host_policy: "node_0" }
metric_tags { key: "team" value: "vision" }
model_metrics { metric_control: [ { metric_identifier { family: "nv_inference_first_response_histogram_ms" } histogram_options { buckets: [ 1, 2.5, 1e2 ] } } ] }
cc_model_filenames { key: "8.0" value: "model.onnx" }
`,
  },
  tuned: {
    from: 'versioned',
    others: { 'warmup/ones': '\0\0\x80?'.repeat(4) },
    config: `backend: "onnxruntime"
max_batch_size: 8
optimization {
  graph { level: -1 }
  priority: PRIORITY_MAX
  input_pinned_memory { enable: false }  output_pinned_memory < enable: False >
  eager_batching: t
  execution_accelerators {
    gpu_execution_accelerator [ { name: "tensorrt" parameters { key: "precision_mode" value: "FP16" } } ]
    cpu_execution_accelerator : [ { name : "openvino" } ]
  }
}
dynamic_batching {
  priority_levels: 2  default_priority_level: 1
  default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5000000 allow_timeout_override: true max_queue_size: 100 }
  priority_queue_policy { key: 2 value { timeout_action: 0 max_queue_size: 10 } }
}
model_warmup [
  { name: "zero" batch_size: 1 count: 2 inputs { key: "INPUT0" value { data_type: TYPE_FP32 dims: [ 4 ] zero_data: true } } },
  { name: "file" batch_size: 2 inputs: { key: "INPUT0" value: { data_type: TYPE_FP32 dims: 4 input_data_file: "ones" } } }
]
model_transaction_policy { decoupled: false }
parameters { key: "execution_mode" value { string_value: "0" } }
parameters { key: "enable_mem_arena" value { string_value: "1" } }
`,
  },
  scalars: {
    from: 'scalar',
    config: `max_batch_size: 0
input [ { name: "X" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ 1 ] } ]
`,
  },
};

/** What it must be refused with, by the name of the model. */
export const REFUSED: Readonly<Record<string, TritonModel & { readonly reason: string }>> = {
  pipeline: {
    config: `name: "pipeline"
max_batch_size: 4
${IO_SUM.trim()}
ensemble_scheduling {
  step [
    { model_name: "tokens" model_version: -1 input_map { key: "TEXT" value: "INPUT0" } output_map { key: "IDS" value: "ids" } },
    { model_name: "odd" model_version: -1 input_map { key: "A" value: "ids" } output_map { key: "B" value: "OUTPUT0" } }
  ]
}
`,
    reason: 'config.pbtxt line 8 column 1: ensemble_scheduling: ensembles are not served',
  },
  ensemble_by_platform: {
    config:
      '# steps\n\nplatform: "ensemble"\nensemble_scheduling { step { model_name: "odd" model_version: 1 } }\n',
    reason:
      'config.pbtxt line 3 column 1: platform: expected "onnxruntime_onnx", got "ensemble", which is not served',
  },
  engine: {
    files: ['model.plan'],
    config: `platform: "tensorrt_plan" max_batch_size: 32
instance_group [ { kind: KIND_GPU gpus: [ 0, 1 ] profile: [ "1" ] } ]
optimization { cuda { graphs: true graph_spec { batch_size: 1 input { key: "x" value { dim: [ 3, 224 ] } } } } }
`,
    reason:
      'config.pbtxt line 1 column 1: platform: expected "onnxruntime_onnx", got "tensorrt_plan", which is not served',
  },
  tokens: {
    files: ['model.py'],
    config: `name: "tokens"
input [ { name: "TEXT", data_type: TYPE_STRING, dims: [ -1 ] } ]
output [ { name: "IDS", data_type: TYPE_INT64, dims: [ -1 ] } ]
parameters: { key: "EXECUTION_ENV_PATH", value: { string_value: "/opt/env.tar.gz" } }
  backend: "python"
`,
    reason:
      'config.pbtxt line 5 column 3: backend: expected "onnxruntime", got "python", which is not served',
  },
  torch: {
    files: ['model.pt'],
    config: 'max_batch_size: 8\nplatform: "pytorch_libtorch"\n',
    reason:
      'config.pbtxt line 2 column 1: platform: expected "onnxruntime_onnx", got "pytorch_libtorch", which is not served',
  },
  sequences: {
    from: 'versioned',
    config: `max_batch_size: 4
sequence_batching {
  max_sequence_idle_microseconds: 5000000
  direct { minimum_slot_utilization: 0.5 }
  control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1 ] } ] } ]
  state [ { input_name: "S" output_name: "T" data_type: TYPE_FP32 dims: -1 initial_state { name: "i" data_type: TYPE_FP32 dims: 1 zero_data: true } } ]
}
`,
    reason:
      'config.pbtxt line 2 column 1: sequence_batching: models that keep state between requests are not served',
  },
  streaming: {
    from: 'versioned',
    config: 'model_transaction_policy {\n\tdecoupled: True }\n',
    reason:
      'config.pbtxt line 2 column 2: model_transaction_policy.decoupled: models with many answers to a request are not served',
  },
  ragged: {
    from: 'versioned',
    config: `input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true } ]
batch_input [ { kind: BATCH_ACCUMULATED_ELEMENT_COUNT target_name: "INDEX" data_type: TYPE_FP32 source_input: "INPUT0" } ]
batch_output { target_name: "OUTPUT0" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "INPUT0" }
`,
    reason: 'config.pbtxt line 2 column 1: batch_input: ragged batches are not served',
  },
  optional_input: {
    from: 'add_sub',
    config: IO_SUM.replace('dims: [ 16 ] }\n]', 'dims: [ 16 ]\n  optional: true }\n]'),
    reason:
      'config.pbtxt line 5 column 3: input[1].optional: expected false for an input that is no mask of sluice.padding',
  },
  custom_ops: {
    from: 'versioned',
    config: 'model_operations: { op_library_filename: [ "/opt/libops.so" ] }\n',
    reason:
      'config.pbtxt line 1 column 21: model_operations.op_library_filename: libraries of custom operators are not loaded',
  },
  agents: {
    from: 'versioned',
    config:
      'model_repository_agents {\n  agents [ { name: "checksum" parameters { key: "MD5:model.onnx" value: "x" } } ]\n}\n',
    reason: 'config.pbtxt line 2 column 3: model_repository_agents.agents: repository agents are not run',
  },
  second_gpu: {
    from: 'versioned',
    config: 'instance_group [\n  { kind: KIND_GPU gpus: [ 1 ] }\n]\n',
    reason:
      'config.pbtxt line 2 column 20: instance_group[0].gpus: expected GPU 0, the only one that is used, got 1',
  },
  wrong_dims: {
    from: 'add_sub',
    config: `max_batch_size: 8${IO_SUM.replace('INPUT1" data_type: TYPE_FP32 dims: [ 16 ]', 'INPUT1" data_type: TYPE_FP32 dims: [ 15 ]')}`,
    reason:
      'config.pbtxt line 4 column 3: tensor "INPUT1": expected dims [16] as in the model after the batch dimension, got [15]',
  },
  wrong_name: {
    from: 'versioned',
    config: 'max_batch_size: 8\nname: "other"\n',
    reason:
      'config.pbtxt line 2 column 1: name: expected "wrong_name", the name of the model\'s folder, got "other"',
  },
  misspelt: {
    from: 'versioned',
    config: 'dynamic_batching {\n  max_queue_delay_us: 100\n}\n',
    reason: 'config.pbtxt line 2 column 3: unknown field "max_queue_delay_us" of DynamicBatching',
  },
};

/** Writes the repository to `root`, which must not exist. */
export function writeTritonRepository(root: string): void {
  for (const [name, model] of Object.entries({ ...SERVED, ...REFUSED })) {
    const folder = join(root, name);
    if (model.from === undefined) mkdirSync(join(folder, '1'), { recursive: true });
    else cpSync(join(MODELS, model.from), folder, { recursive: true });
    for (const file of model.files ?? []) writeFileSync(join(folder, '1', file), 'of another kind');
    for (const [file, content] of Object.entries(model.others ?? {})) {
      mkdirSync(join(folder, file, '..'), { recursive: true });
      writeFileSync(join(folder, file), content, 'latin1');
    }
    writeFileSync(join(folder, 'config.pbtxt'), model.config);
  }
  // Triton's other habits: a folder of configurations, a file and a folder that are no models, no config file at all.
  mkdirSync(join(root, 'odd', 'configs'));
  writeFileSync(join(root, 'odd', 'configs', 'small.pbtxt'), 'max_batch_size: 2\n');
  writeFileSync(join(root, 'README.md'), 'models of the team\n');
  mkdirSync(join(root, 'plain_engine', '1'), { recursive: true });
  writeFileSync(join(root, 'plain_engine', '1', 'model.plan'), 'of another kind');
}
