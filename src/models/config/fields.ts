/**
 * The field names, types and enums of Triton's ModelConfig, as protobufjs reflection. Both forms of a model's
 * configuration (text and JSON) are read through it, so both know the same words. It lists what is legal in Triton;
 * what Sluice serves is decided in model-config.ts.
 * Notation of a field: `type name`, `type* name` for a list, `type% name` for a map with string keys, `type# name` for one
 * with uint64 keys.
 */
import protobuf from 'protobufjs/light.js';
import { DATA_TYPES } from '../../core/data-types.js';

const MESSAGES: Record<string, string> = {
  ModelConfig: `string name; string platform; string backend; string runtime; VersionPolicy version_policy;
    int32 max_batch_size; ModelInput* input; ModelOutput* output; BatchInput* batch_input; BatchOutput* batch_output;
    Optimization optimization; DynamicBatching dynamic_batching; SequenceBatching sequence_batching;
    EnsembleScheduling ensemble_scheduling; InstanceGroup* instance_group; string default_model_filename;
    string% cc_model_filenames; string% metric_tags; Parameter% parameters; Warmup* model_warmup;
    Operations model_operations; TransactionPolicy model_transaction_policy; Agents model_repository_agents;
    ResponseCache response_cache; Metrics model_metrics`,
  VersionPolicy: 'Latest latest; All all; Specific specific',
  Latest: 'uint32 num_versions',
  All: '',
  Specific: 'int64* versions',
  Reshape: 'int64* shape',
  ModelInput: `string name; DataType data_type; Format format; int64* dims; Reshape reshape; bool is_shape_tensor;
    bool allow_ragged_batch; bool optional; bool is_non_linear_format_io`,
  ModelOutput: `string name; DataType data_type; int64* dims; Reshape reshape; string label_filename;
    bool is_shape_tensor; bool is_non_linear_format_io`,
  BatchInput: 'BatchInputKind kind; string* target_name; DataType data_type; string* source_input',
  BatchOutput: 'string* target_name; BatchOutputKind kind; string* source_input',
  Optimization: `Graph graph; Priority priority; Cuda cuda; Accelerators execution_accelerators;
    PinnedMemory input_pinned_memory; PinnedMemory output_pinned_memory; uint32 gather_kernel_buffer_threshold;
    bool eager_batching`,
  Graph: 'int32 level',
  Cuda: 'bool graphs; bool busy_wait_events; GraphSpec* graph_spec; bool output_copy_stream',
  GraphSpec: 'int32 batch_size; GraphShape% input; GraphLowerBound graph_lower_bound',
  GraphShape: 'int64* dim',
  GraphLowerBound: 'int32 batch_size; GraphShape% input',
  Accelerators: 'Accelerator* gpu_execution_accelerator; Accelerator* cpu_execution_accelerator',
  Accelerator: 'string name; string% parameters',
  PinnedMemory: 'bool enable',
  QueuePolicy: `TimeoutAction timeout_action; uint64 default_timeout_microseconds; bool allow_timeout_override;
    uint32 max_queue_size`,
  DynamicBatching: `int32* preferred_batch_size; uint64 max_queue_delay_microseconds; bool preserve_ordering;
    uint64 priority_levels; uint64 default_priority_level; QueuePolicy default_queue_policy;
    QueuePolicy# priority_queue_policy`,
  SequenceBatching: `Direct direct; Oldest oldest; uint64 max_sequence_idle_microseconds; ControlInput* control_input;
    State* state; bool iterative_sequence`,
  Direct: 'uint64 max_queue_delay_microseconds; float minimum_slot_utilization',
  Oldest: `int32 max_candidate_sequences; int32* preferred_batch_size; uint64 max_queue_delay_microseconds;
    bool preserve_ordering`,
  ControlInput: 'string name; Control* control',
  Control: `ControlKind kind; int32* int32_false_true; float* fp32_false_true; bool* bool_false_true;
    DataType data_type`,
  State: `string input_name; string output_name; DataType data_type; int64* dims; InitialState* initial_state;
    bool use_same_buffer_for_input_output; bool use_growable_memory`,
  InitialState: 'DataType data_type; int64* dims; bool zero_data; string data_file; string name',
  EnsembleScheduling: 'Step* step; uint32 max_inflight_requests',
  Step: 'string model_name; int64 model_version; string% input_map; string% output_map; string model_namespace',
  InstanceGroup: `string name; InstanceKind kind; int32 count; RateLimiter rate_limiter; int32* gpus;
    SecondaryDevice* secondary_devices; string* profile; bool passive; string host_policy`,
  RateLimiter: 'RateResource* resources; uint32 priority',
  RateResource: 'string name; bool global; uint32 count',
  SecondaryDevice: 'SecondaryKind kind; int64 device_id',
  Parameter: 'string string_value',
  Warmup: 'string name; uint32 batch_size; WarmupInput% inputs; uint32 count',
  WarmupInput: 'DataType data_type; int64* dims; bool zero_data; bool random_data; string input_data_file',
  Operations: 'string* op_library_filename',
  TransactionPolicy: 'bool decoupled',
  Agents: 'Agent* agents',
  Agent: 'string name; string% parameters',
  ResponseCache: 'bool enable',
  Metrics: 'MetricControl* metric_control',
  MetricControl: 'MetricIdentifier metric_identifier; Histogram histogram_options',
  MetricIdentifier: 'string family',
  Histogram: 'double* buckets',
};

function dataTypeValues(): Record<string, number> {
  const values: Record<string, number> = { TYPE_INVALID: 0 };
  for (const row of Object.values(DATA_TYPES)) values[row.configName] = row.number;
  return values;
}

function numbered(words: string): Record<string, number> {
  return Object.fromEntries(words.split(' ').map((word, index) => [word, index]));
}

const ENUMS: Record<string, Record<string, number>> = {
  DataType: dataTypeValues(),
  Format: numbered('FORMAT_NONE FORMAT_NHWC FORMAT_NCHW'),
  InstanceKind: numbered('KIND_AUTO KIND_GPU KIND_CPU KIND_MODEL'),
  SecondaryKind: numbered('KIND_NVDLA'),
  Priority: numbered('PRIORITY_DEFAULT PRIORITY_MAX PRIORITY_MIN'),
  TimeoutAction: numbered('REJECT DELAY'),
  ControlKind: numbered(
    'CONTROL_SEQUENCE_START CONTROL_SEQUENCE_READY CONTROL_SEQUENCE_END CONTROL_SEQUENCE_CORRID',
  ),
  BatchInputKind: numbered(
    'BATCH_ELEMENT_COUNT BATCH_ACCUMULATED_ELEMENT_COUNT BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO ' +
      'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE BATCH_ITEM_SHAPE BATCH_ITEM_SHAPE_FLATTEN',
  ),
  BatchOutputKind: numbered('BATCH_SCATTER_WITH_INPUT_SHAPE'),
};

/** At most one member of each may be given. */
const ONE_OF: Record<string, Record<string, string[]>> = {
  ModelConfig: { scheduling_choice: ['dynamic_batching', 'sequence_batching', 'ensemble_scheduling'] },
  VersionPolicy: { policy_choice: ['latest', 'all', 'specific'] },
  SequenceBatching: { strategy_choice: ['direct', 'oldest'] },
  WarmupInput: { input_data_type: ['zero_data', 'random_data', 'input_data_file'] },
};

const KEY_TYPES: Readonly<Record<string, string>> = { '%': 'string', '#': 'uint64' };

function makeType(name: string, notation: string): protobuf.Type {
  const type = new protobuf.Type(name);
  const fields = notation.split(';').map((text) => text.trim());
  fields
    .filter((text) => text !== '')
    .forEach((text, index) => {
      const [typeNotation = '', fieldName = ''] = text.split(/\s+/);
      const fieldType = typeNotation.replace(/[*%#]$/, '');
      // Numbers matter on the protobuf wire only, which is never read here.
      const number = index + 1;
      const keyType = KEY_TYPES[typeNotation.slice(-1)];
      if (keyType !== undefined) type.add(new protobuf.MapField(fieldName, number, keyType, fieldType));
      else
        type.add(
          new protobuf.Field(
            fieldName,
            number,
            fieldType,
            typeNotation.endsWith('*') ? 'repeated' : undefined,
          ),
        );
    });
  for (const [oneOf, members] of Object.entries(ONE_OF[name] ?? {}))
    type.add(new protobuf.OneOf(oneOf, members));
  return type;
}

function makeRoot(): protobuf.Root {
  const root = new protobuf.Root();
  for (const [name, values] of Object.entries(ENUMS)) root.add(new protobuf.Enum(name, values));
  for (const [name, notation] of Object.entries(MESSAGES)) root.add(makeType(name, notation));
  root.resolveAll();
  return root;
}

/** The reflected ModelConfig message. */
export const MODEL_CONFIG_TYPE = makeRoot().lookupType('ModelConfig');

/** Names of the fields of one message, for "did you mean". */
export function fieldNames(type: protobuf.Type): string[] {
  return type.fieldsArray.map((field) => field.name);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
}

/** The field that a key of the JSON form means: its name, or its camelCase form. */
export function fieldOfKey(type: protobuf.Type, key: string): protobuf.Field | undefined {
  return type.fieldsArray.find((field) => field.name === key || camelCase(field.name) === key);
}
