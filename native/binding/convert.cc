#include "binding/convert.h"

#include <algorithm>
#include <atomic>

#include "binding/padding_rules.h"
#include "codec/frame_encoder.h"
#include "codec/json_text.h"

namespace sluice {

namespace {

// Never given twice in a process: decoders keep plans by it.
std::atomic<uint64_t> next_serial{1};

std::string Text(const Napi::Object& object, const char* key) {
  return object.Get(key).ToString().Utf8Value();
}

int64_t Integer(const Napi::Object& object, const char* key, int64_t otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : otherwise;
}

std::vector<int64_t> Integers(const Napi::Object& object, const char* key) {
  std::vector<int64_t> numbers;
  const Napi::Value value = object.Get(key);
  if (!value.IsArray()) return numbers;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) numbers.push_back(array.Get(i).ToNumber().Int64Value());
  return numbers;
}

std::vector<int> Cpus(const Napi::Object& object, const char* key) {
  const std::vector<int64_t> numbers = Integers(object, key);
  return std::vector<int>(numbers.begin(), numbers.end());
}

bool Switch(const Napi::Object& object, const char* key, bool otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsBoolean() ? value.As<Napi::Boolean>().Value() : otherwise;
}

std::vector<TensorSpec> Tensors(const Napi::Object& plan, const char* key) {
  std::vector<TensorSpec> tensors;
  const auto array = plan.Get(key).As<Napi::Array>();
  if (array.Length() > kMaxTensors) {
    throw Napi::Error::New(plan.Env(), "expected at most 64 tensors for " + std::string(key) + ", got " +
                                           std::to_string(array.Length()));
  }
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    TensorSpec tensor;
    tensor.name = Text(object, "name");
    tensor.type = DataTypeFromName(Text(object, "datatype"));
    tensor.dims = Integers(object, "dims");
    tensor.model_dims = Integers(object, "modelDims");
    if (tensor.type == DataType::kInvalid || tensor.model_dims.size() >= kMaxRank ||
        tensor.dims.size() >= kMaxRank) {
      throw Napi::Error::New(plan.Env(),
                             "expected a V2 datatype and a rank below 16 for tensor " + tensor.name);
    }
    Dims dims;
    bool varies = false;
    for (const int64_t dim : tensor.model_dims) {
      varies = varies || dim < 0;
      dims.Push(dim < 0 ? 0 : dim);
    }
    if (!varies && !ElementCount(dims, &tensor.row_elements)) {
      throw Napi::Error::New(plan.Env(), "the number of elements of tensor " + tensor.name + " overflows");
    }
    tensor.reply_prefix = "{\"name\":" + JsonString(tensor.name) + ",\"datatype\":\"" +
                          std::string(DataTypeName(tensor.type)) + "\",\"shape\":[";
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Napi::Array FromTensors(Napi::Env env, const std::vector<TensorSignature>& tensors) {
  auto array = Napi::Array::New(env, tensors.size());
  for (uint32_t i = 0; i < tensors.size(); ++i) {
    auto object = Napi::Object::New(env);
    auto shape = Napi::Array::New(env, tensors[i].shape.size());
    for (uint32_t d = 0; d < tensors[i].shape.size(); ++d) {
      shape.Set(d, Napi::Number::New(env, static_cast<double>(tensors[i].shape[d])));
    }
    object.Set("name", tensors[i].name);
    object.Set("datatype", std::string(DataTypeName(tensors[i].type)));
    object.Set("shape", shape);
    array.Set(i, object);
  }
  return array;
}

}  // namespace

EngineOptions ToEngineOptions(const Napi::Object& object) {
  EngineOptions options;
  options.onnxruntime_path = Text(object, "onnxruntimePath");
  options.workers = static_cast<int>(Integer(object, "workers", 1));
  options.worker_cpus = Cpus(object, "workerCpus");
  options.inline_budget_ns = Integer(object, "inlineBudgetUs", 100) * 1000;
  options.loop_rest_ns = Integer(object, "loopRestUs", 0) * 1000;
  options.longest_ns = Integer(object, "defaultDeadlineMs", 30'000) * 1'000'000;
  options.hung_loop_ns = Integer(object, "hungLoopExitMs", 30'000) * 1'000'000;
  return options;
}

SessionOptions ToSessionOptions(const Napi::Object& object) {
  SessionOptions options;
  options.path = Text(object, "path");
  options.directory = Text(object, "directory");
  options.private_directory = Text(object, "privateDirectory");
  options.intra_op_threads = static_cast<int>(Integer(object, "intraOpThreads", 1));
  options.inter_op_threads = static_cast<int>(Integer(object, "interOpThreads", 1));
  // 0 means the default in a model's configuration.
  options.intra_op_threads = std::max(options.intra_op_threads, 1);
  options.inter_op_threads = std::max(options.inter_op_threads, 1);
  options.intra_op_cpus = Cpus(object, "intraOpCpus");
  const Napi::Value mode = object.Get("executionMode");
  if (mode.IsString()) {
    options.mode = mode.ToString().Utf8Value() == "parallel" ? SessionOptions::Mode::kParallel
                                                             : SessionOptions::Mode::kSequential;
  }
  const Napi::Value graph = object.Get("graphOptimization");
  if (graph.IsString()) {
    const std::string level = graph.ToString().Utf8Value();
    options.graph = level == "none"    ? SessionOptions::Graph::kNone
                    : level == "basic" ? SessionOptions::Graph::kBasic
                                       : SessionOptions::Graph::kExtended;
  }
  options.uses_arena = Switch(object, "usesArena", options.uses_arena);
  options.uses_memory_pattern = Switch(object, "usesMemoryPattern", options.uses_memory_pattern);
  const Napi::Value providers = object.Get("providers");
  if (providers.IsArray()) {
    const auto array = providers.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i)
      options.providers.push_back(array.Get(i).ToString().Utf8Value());
  }
  const Napi::Value expected = object.Get("expected");
  if (expected.IsArray()) {
    const auto array = expected.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const auto file = array.Get(i).As<Napi::Object>();
      options.expected.push_back({Text(file, "name"), 0, Text(file, "sha256")});
    }
  }
  return options;
}

namespace {

QueueRules ToQueueRules(const Napi::Object& plan) {
  QueueRules rules;
  rules.may_batch = plan.Get("isBatching").ToBoolean();
  rules.batch.max_queue_delay_ns = Integer(plan, "maxQueueDelayUs", 0) * 1000;
  rules.batch.preferred_rows = Integers(plan, "preferredBatchRows");
  rules.instance_count = static_cast<int>(Integer(plan, "instanceCount", 0));
  rules.keeps_order = plan.Get("keepsOrder").ToBoolean();
  rules.levels = static_cast<int>(Integer(plan, "priorityLevels", 1));
  rules.default_level = static_cast<int>(Integer(plan, "defaultPriority", 1));
  const Napi::Value weight = plan.Get("weight");
  if (weight.IsNumber()) rules.weight = weight.As<Napi::Number>().DoubleValue();
  const int64_t most_bytes = Integer(plan, "maxQueueBytes", 0);
  if (most_bytes > 0) rules.most_bytes = static_cast<size_t>(most_bytes);
  const Napi::Value policies = plan.Get("queuePolicies");
  if (!policies.IsArray()) return rules;
  const auto array = policies.As<Napi::Array>();
  if (array.Length() == 0) return rules;
  rules.policies.resize(static_cast<size_t>(rules.levels) + 1);
  for (uint32_t i = 0; i < array.Length() && i < static_cast<uint32_t>(rules.levels); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    LevelPolicy& policy = rules.policies[i + 1];
    policy.timeout_ns = Integer(object, "timeoutUs", 0) * 1000;
    policy.may_override = object.Get("mayOverride").ToBoolean();
    policy.delays = object.Get("delays").ToBoolean();
    policy.most_requests = Integer(object, "maxRequests", 0);
  }
  return rules;
}

}  // namespace

StartOptions ToStartOptions(const Napi::Object& plan) {
  StartOptions options;
  ModelSpec& spec = options.spec;
  spec.serial = next_serial.fetch_add(1);
  const std::string model = Text(plan, "modelName");
  const std::string version = Text(plan, "versionName");
  spec.name = model;
  spec.version = version;
  spec.display = "model \"" + model + "\" version " + version;
  spec.reply_prefix = "\"model_name\":" + JsonString(model) + ",\"model_version\":" + JsonString(version);
  spec.max_batch_rows = Integer(plan, "maxBatchRows", 0);
  spec.inputs = Tensors(plan, "inputs");
  spec.outputs = Tensors(plan, "outputs");
  ReadPadding(plan, &spec);
  LayReplyFrame(&spec);
  spec.may_exceed_batch = plan.Get("maySplit").ToBoolean() && spec.has_batch_dim();
  options.queue = ToQueueRules(plan);
  options.longest_ns = Integer(plan, "deadlineMs", 0) * 1'000'000;
  const std::string execution = Text(plan, "execution");
  options.execution = execution == "inline"   ? Execution::kInline
                      : execution == "worker" ? Execution::kWorker
                                              : Execution::kAuto;
  return options;
}

Napi::Object FromSignature(Napi::Env env, const ModelSignature& signature) {
  auto object = Napi::Object::New(env);
  object.Set("inputs", FromTensors(env, signature.inputs));
  object.Set("outputs", FromTensors(env, signature.outputs));
  return object;
}

Napi::Array FromFiles(Napi::Env env, const std::vector<FileFacts>& files) {
  auto array = Napi::Array::New(env, files.size());
  for (uint32_t i = 0; i < files.size(); ++i) {
    auto object = Napi::Object::New(env);
    object.Set("name", files[i].name);
    object.Set("bytes", static_cast<double>(files[i].bytes));
    object.Set("sha256", files[i].sha256);
    array.Set(i, object);
  }
  return array;
}

Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Value().Set("number", Napi::Number::New(env, static_cast<int>(status.code())));
  return error;
}

}  // namespace sluice
