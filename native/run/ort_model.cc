#include "run/ort_model.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "memory/aligned_buffer.h"
#include "run/onnx_file.h"
#include "run/ort_slot.h"
#include "run/ort_types.h"
#include "run/private_files.h"

namespace sluice {

namespace {

// Frees what the C API hands out, whichever way a function is left.
template <typename T>
using OrtOwned = std::unique_ptr<T, void (*)(T*)>;

Status AppendProvider(const Ort& ort, const std::string& provider, OrtSessionOptions* options) {
  const OrtApi* api = ort.api;
  const auto check = [&](OrtStatus* status) { return TakeOrtStatus(ort, status, Code::kModelInvalid); };
  if (provider == "cuda") {
    OrtCUDAProviderOptionsV2* raw = nullptr;
    if (Status status = check(api->CreateCUDAProviderOptions(&raw)); !status.ok()) return status;
    OrtOwned<OrtCUDAProviderOptionsV2> owned(raw, api->ReleaseCUDAProviderOptions);
    // Exhaustive search stalls seconds on every new shape; the heuristic reaches the same steady state.
    const char* keys[] = {"cudnn_conv_algo_search", "arena_extend_strategy"};
    const char* values[] = {"HEURISTIC", "kSameAsRequested"};
    if (Status status = check(api->UpdateCUDAProviderOptions(raw, keys, values, 2)); !status.ok())
      return status;
    return check(api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, raw));
  }
  if (provider == "tensorrt") {
    OrtTensorRTProviderOptionsV2* raw = nullptr;
    if (Status status = check(api->CreateTensorRTProviderOptions(&raw)); !status.ok()) return status;
    OrtOwned<OrtTensorRTProviderOptionsV2> owned(raw, api->ReleaseTensorRTProviderOptions);
    return check(api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, raw));
  }
  return Status(Code::kModelInvalid,
                "expected execution provider cuda or tensorrt, got \"" + provider + "\"");
}

bool IsParallel(const SessionOptions& options) {
  return options.mode == SessionOptions::Mode::kByThreads ? options.inter_op_threads > 1
                                                          : options.mode == SessionOptions::Mode::kParallel;
}

GraphOptimizationLevel GraphLevel(SessionOptions::Graph graph) {
  switch (graph) {
    case SessionOptions::Graph::kAll:
      return ORT_ENABLE_ALL;
    case SessionOptions::Graph::kExtended:
      return ORT_ENABLE_EXTENDED;
    case SessionOptions::Graph::kBasic:
      return ORT_ENABLE_BASIC;
    case SessionOptions::Graph::kNone:
      return ORT_DISABLE_ALL;
  }
  return ORT_ENABLE_ALL;
}

Status SetOptions(const Ort& ort, const SessionOptions& options, bool has_external_data,
                  OrtSessionOptions* raw) {
  const OrtApi* api = ort.api;
  const auto check = [&](OrtStatus* status) { return TakeOrtStatus(ort, status, Code::kModelInvalid); };
  if (Status s = check(api->SetIntraOpNumThreads(raw, options.intra_op_threads)); !s.ok()) return s;
  if (Status s = check(api->SetInterOpNumThreads(raw, options.inter_op_threads)); !s.ok()) return s;
  const ExecutionMode mode = IsParallel(options) ? ORT_PARALLEL : ORT_SEQUENTIAL;
  if (Status s = check(api->SetSessionExecutionMode(raw, mode)); !s.ok()) return s;
  if (Status s = check(api->SetSessionGraphOptimizationLevel(raw, GraphLevel(options.graph))); !s.ok())
    return s;
  const auto set_pattern = options.uses_memory_pattern ? api->EnableMemPattern : api->DisableMemPattern;
  if (Status s = check(set_pattern(raw)); !s.ok()) return s;
  const auto set_arena = options.uses_arena ? api->EnableCpuMemArena : api->DisableCpuMemArena;
  if (Status s = check(set_arena(raw)); !s.ok()) return s;
  if (!options.intra_op_cpus.empty()) {
    std::string cpus;
    // ONNX Runtime counts processors from 1.
    for (const int cpu : options.intra_op_cpus) cpus += (cpus.empty() ? "" : ";") + std::to_string(cpu + 1);
    if (Status s = check(api->AddSessionConfigEntry(raw, "session.intra_op_thread_affinities", cpus.c_str()));
        !s.ok())
      return s;
  }
  // Spinning pools burn a core while idle and slow every neighbour.
  if (Status s = check(api->AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0")); !s.ok())
    return s;
  if (Status s = check(api->AddSessionConfigEntry(raw, "session.inter_op.allow_spinning", "0")); !s.ok())
    return s;
  if (has_external_data) {
    const char* key = "session.model_external_initializers_file_folder_path";
    if (Status s = check(api->AddSessionConfigEntry(raw, key, options.private_directory.c_str())); !s.ok())
      return s;
  }
  for (const std::string& provider : options.providers) {
    if (Status s = AppendProvider(ort, provider, raw); !s.ok()) return s;
  }
  return Status();
}

Status CheckExpected(const std::vector<FileFacts>& files, const std::vector<FileFacts>& expected) {
  if (expected.empty()) return Status();
  for (const FileFacts& file : files) {
    const auto found = std::find_if(expected.begin(), expected.end(),
                                    [&](const FileFacts& known) { return known.name == file.name; });
    const std::string wanted = found == expected.end() ? "none" : found->sha256;
    if (wanted == file.sha256) continue;
    return Status(Code::kModelInvalid, "file \"" + file.name + "\": expected sha256 " + wanted +
                                           " in the manifest, got " + file.sha256);
  }
  return Status();
}

int64_t ResidentBytes() {
  std::ifstream facts("/proc/self/statm");
  int64_t whole = 0, resident = 0;
  facts >> whole >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

Status OrtModel::Load(const Ort& ort, const SessionOptions& options, std::unique_ptr<OrtModel>* session) {
  AlignedBuffer bytes;
  std::vector<FileFacts> files(1);
  files[0].name = std::filesystem::path(options.path).lexically_relative(options.directory).string();
  if (Status status = ReadWhole(options.path, &bytes, &files[0]); !status.ok()) return status;
  std::vector<std::string> locations;
  if (Status status = FindExternalLocations(bytes.data(), bytes.size(), &locations); !status.ok())
    return status;
  PrivateCopies copies(options.private_directory);
  for (const std::string& location : locations) {
    if (Status status = copies.Add(options.directory, location, &files); !status.ok()) return status;
  }
  if (Status status = CheckExpected(files, options.expected); !status.ok()) return status;

  OrtSessionOptions* raw = nullptr;
  if (OrtStatus* status = ort.api->CreateSessionOptions(&raw))
    return TakeOrtStatus(ort, status, Code::kInternal);
  OrtOwned<OrtSessionOptions> owned(raw, ort.api->ReleaseSessionOptions);
  if (Status status = SetOptions(ort, options, !locations.empty(), raw); !status.ok()) return status;

  std::unique_ptr<OrtModel> fresh(new OrtModel(ort));
  const int64_t resident_before = ResidentBytes();
  // From memory, so that the bytes that were checked are the bytes that are loaded.
  OrtStatus* made =
      ort.api->CreateSessionFromArray(ort.env, bytes.data(), bytes.size(), raw, &fresh->session_);
  if (made != nullptr) return TakeOrtStatus(ort, made, Code::kModelInvalid);
  fresh->load_facts_.loaded_bytes = std::max<int64_t>(ResidentBytes() - resident_before, 0);
  if (options.uses_arena) {
    fresh->arena_ = std::make_unique<OrtArena>(ort);
    fresh->arena_->Open(fresh->session_);
  }
  fresh->load_facts_.files = std::move(files);
  fresh->load_facts_.runs_on_caller =
      options.intra_op_threads == 1 && !IsParallel(options) && options.providers.empty();
  if (Status status = fresh->ReadSignature(true, &fresh->signature_.inputs); !status.ok()) return status;
  if (Status status = fresh->ReadSignature(false, &fresh->signature_.outputs); !status.ok()) return status;
  *session = std::move(fresh);
  return Status();
}

OrtModel::~OrtModel() {
  arena_.reset();
  if (session_ != nullptr) ort_.api->ReleaseSession(session_);
}

Status OrtModel::ReadSignature(bool is_input, std::vector<TensorSignature>* tensors) {
  const OrtApi* api = ort_.api;
  const auto check = [&](OrtStatus* status) { return TakeOrtStatus(ort_, status, Code::kModelInvalid); };
  const char* kind = is_input ? "input" : "output";
  size_t count = 0;
  Status status = check(is_input ? api->SessionGetInputCount(session_, &count)
                                 : api->SessionGetOutputCount(session_, &count));
  if (!status.ok()) return status;
  if (count == 0 || count > kMaxTensors) {
    return Status(Code::kModelInvalid, "expected 1 to " + std::to_string(kMaxTensors) + " " + kind +
                                           "s, the model has " + std::to_string(count));
  }
  OrtAllocator* allocator = nullptr;
  if (status = check(api->GetAllocatorWithDefaultOptions(&allocator)); !status.ok()) return status;
  const auto free_name = [&](char* name) {
    if (OrtStatus* freed = api->AllocatorFree(allocator, name)) api->ReleaseStatus(freed);
  };
  for (size_t i = 0; i < count; ++i) {
    TensorSignature tensor;
    char* name = nullptr;
    status = check(is_input ? api->SessionGetInputName(session_, i, allocator, &name)
                            : api->SessionGetOutputName(session_, i, allocator, &name));
    if (!status.ok()) return status;
    const std::unique_ptr<char, decltype(free_name)> owned_name(name, free_name);
    tensor.name = name;

    OrtTypeInfo* raw = nullptr;
    status = check(is_input ? api->SessionGetInputTypeInfo(session_, i, &raw)
                            : api->SessionGetOutputTypeInfo(session_, i, &raw));
    if (!status.ok()) return status;
    OrtOwned<OrtTypeInfo> type_info(raw, api->ReleaseTypeInfo);
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    if (status = check(api->CastTypeInfoToTensorInfo(raw, &info)); !status.ok()) return status;
    if (info == nullptr) {
      return Status(Code::kModelInvalid, "expected a tensor for " + std::string(kind) + " \"" + tensor.name +
                                             "\", the model has a sequence, map or optional");
    }
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    if (status = check(api->GetTensorElementType(info, &type)); !status.ok()) return status;
    if (status = check(api->GetDimensionsCount(info, &rank)); !status.ok()) return status;
    tensor.type = DataTypeFromOnnx(type);
    if (tensor.type == DataType::kInvalid || rank >= kMaxRank) {
      return Status(Code::kModelInvalid, std::string(kind) + " \"" + tensor.name +
                                             "\" has a datatype or rank (ONNX type " + std::to_string(type) +
                                             ", rank " + std::to_string(rank) + ") that V2 cannot carry");
    }
    tensor.shape.resize(rank);
    if (status = check(api->GetDimensions(info, tensor.shape.data(), rank)); !status.ok()) return status;
    tensors->push_back(std::move(tensor));
  }
  return Status();
}

std::unique_ptr<RunSlot> OrtModel::NewSlot(const ModelSpec& spec) {
  return std::make_unique<OrtSlot>(ort_, session_, spec);
}

}  // namespace sluice
