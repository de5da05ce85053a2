// One ONNX Runtime session opened as the server opens its own, and callers that run it over and over on
// tensors made once. The session outlives its callers; a caller belongs to one thread.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::bench {

struct TensorForm {
  std::string name;
  std::vector<int64_t> dims;
};

class LoopSession {
 public:
  // Throws std::runtime_error with what ONNX Runtime says.
  LoopSession(const std::string& library, const std::string& model);
  ~LoopSession();
  LoopSession(const LoopSession&) = delete;
  LoopSession& operator=(const LoopSession&) = delete;

  void Check(OrtStatus* status) const;

  const OrtApi* api = nullptr;
  OrtSession* session = nullptr;
  OrtMemoryInfo* memory = nullptr;
  std::string version;
  std::vector<TensorForm> inputs;
  std::vector<TensorForm> outputs;

 private:
  std::vector<TensorForm> ReadForms(bool is_input) const;

  OrtEnv* env_ = nullptr;
};

class LoopCaller {
 public:
  LoopCaller(const LoopSession& loop, int64_t rows, uint32_t seed);
  ~LoopCaller();
  LoopCaller(const LoopCaller&) = delete;
  LoopCaller& operator=(const LoopCaller&) = delete;

  void Run();

 private:
  OrtValue* MakeTensor(const TensorForm& form, int64_t rows, uint32_t seed);

  const LoopSession& loop_;
  std::vector<std::vector<float>> floats_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<OrtValue*> inputs_;
  std::vector<OrtValue*> outputs_;
};

}  // namespace sluice::bench
