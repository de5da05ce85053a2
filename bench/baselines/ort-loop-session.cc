#include "ort-loop-session.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace sluice::bench {

namespace {

constexpr size_t kAlignmentFloats = 16;

const OrtApi* OpenLibrary(const std::string& path, std::string* version) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error(path + " has no OrtGetApiBase");
  *version = base()->GetVersionString();
  const int minor = std::atoi(version->c_str() + version->find('.') + 1);
  const OrtApi* api = base()->GetApi(static_cast<uint32_t>(std::min(ORT_API_VERSION, minor)));
  if (api == nullptr) throw std::runtime_error("ONNX Runtime " + *version + " does not offer a usable API");
  return api;
}

}  // namespace

void LoopSession::Check(OrtStatus* status) const {
  if (status == nullptr) return;
  const std::string message = api->GetErrorMessage(status);
  api->ReleaseStatus(status);
  throw std::runtime_error(message);
}

LoopSession::LoopSession(const std::string& library, const std::string& model) {
  // Must be set before the environment exists.
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  api = OpenLibrary(library, &version);
  Check(api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "ort-loop", &env_));
  Check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  OrtSessionOptions* options = nullptr;
  Check(api->CreateSessionOptions(&options));
  Check(api->SetIntraOpNumThreads(options, 1));
  Check(api->SetInterOpNumThreads(options, 1));
  Check(api->SetSessionExecutionMode(options, ORT_SEQUENTIAL));
  Check(api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
  Check(api->DisableMemPattern(options));
  Check(api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"));
  Check(api->AddSessionConfigEntry(options, "session.inter_op.allow_spinning", "0"));
  Check(api->CreateSession(env_, model.c_str(), options, &session));
  api->ReleaseSessionOptions(options);
  inputs = ReadForms(true);
  outputs = ReadForms(false);
}

LoopSession::~LoopSession() {
  api->ReleaseSession(session);
  api->ReleaseMemoryInfo(memory);
  api->ReleaseEnv(env_);
}

std::vector<TensorForm> LoopSession::ReadForms(bool is_input) const {
  size_t count = 0;
  Check(is_input ? api->SessionGetInputCount(session, &count) : api->SessionGetOutputCount(session, &count));
  OrtAllocator* allocator = nullptr;
  Check(api->GetAllocatorWithDefaultOptions(&allocator));
  std::vector<TensorForm> forms(count);
  for (size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    OrtTypeInfo* type = nullptr;
    Check(is_input ? api->SessionGetInputName(session, i, allocator, &name)
                   : api->SessionGetOutputName(session, i, allocator, &name));
    Check(is_input ? api->SessionGetInputTypeInfo(session, i, &type)
                   : api->SessionGetOutputTypeInfo(session, i, &type));
    forms[i].name = name;
    Check(api->AllocatorFree(allocator, name));
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    Check(api->CastTypeInfoToTensorInfo(type, &info));
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    Check(api->GetTensorElementType(info, &element));
    Check(api->GetDimensionsCount(info, &rank));
    forms[i].dims.resize(rank);
    Check(api->GetDimensions(info, forms[i].dims.data(), rank));
    api->ReleaseTypeInfo(type);
    const bool has_fixed_rows = std::all_of(forms[i].dims.begin() + (rank > 0), forms[i].dims.end(),
                                            [](int64_t dim) { return dim > 0; });
    if (element != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || rank == 0 || !has_fixed_rows) {
      throw std::runtime_error(
          "expected FP32 tensors whose only free dimension is the first, got another for " + forms[i].name);
    }
  }
  return forms;
}

LoopCaller::LoopCaller(const LoopSession& loop, int64_t rows, uint32_t seed) : loop_(loop) {
  for (const TensorForm& form : loop.inputs) {
    input_names_.push_back(form.name.c_str());
    inputs_.push_back(MakeTensor(form, rows, seed++));
  }
  for (const TensorForm& form : loop.outputs) {
    output_names_.push_back(form.name.c_str());
    outputs_.push_back(MakeTensor(form, rows, 0));
  }
}

LoopCaller::~LoopCaller() {
  for (OrtValue* value : inputs_) loop_.api->ReleaseValue(value);
  for (OrtValue* value : outputs_) loop_.api->ReleaseValue(value);
}

OrtValue* LoopCaller::MakeTensor(const TensorForm& form, int64_t rows, uint32_t seed) {
  std::vector<int64_t> dims = form.dims;
  if (dims[0] < 0) dims[0] = rows;
  size_t count = 1;
  for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
  std::vector<float>& floats = floats_.emplace_back(count + kAlignmentFloats);
  uint32_t state = seed * 2654435761u + 1;
  for (float& value : floats) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state)) * 0x1.0p-31f;
  }
  // On a cache line, as the server's batches are.
  const uintptr_t at = reinterpret_cast<uintptr_t>(floats.data());
  float* aligned = floats.data() + (64 - at % 64) % 64 / sizeof(float);
  OrtValue* value = nullptr;
  loop_.Check(loop_.api->CreateTensorWithDataAsOrtValue(loop_.memory, aligned, count * sizeof(float),
                                                        dims.data(), dims.size(),
                                                        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
  return value;
}

void LoopCaller::Run() {
  loop_.Check(loop_.api->Run(loop_.session, nullptr, input_names_.data(), inputs_.data(), inputs_.size(),
                             output_names_.data(), output_names_.size(), outputs_.data()));
}

}  // namespace sluice::bench
