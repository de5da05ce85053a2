// The ONNX Runtime library once it is open, and what its calls answer. Any thread.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <string>
#include <vector>

#include "base/status.h"

namespace sluice {

struct Ort {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  OrtMemoryInfo* cpu_memory = nullptr;
  std::string path;
  std::string version;
  int api_version = 0;  // that of `api`
  // The highest that the library offers: its table of functions is the same for all of them.
  int library_api = 0;
  std::vector<std::string> providers;
};

// Turns an OrtStatus into ours and frees it; null is success.
Status TakeOrtStatus(const Ort& ort, OrtStatus* status, Code code);

}  // namespace sluice
