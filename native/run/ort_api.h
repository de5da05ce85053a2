// The ONNX Runtime library: found and opened at run time, never linked, so one addon serves any release from
// API 17 on. One per process, never closed. Any thread after OpenOrt has answered.
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

// Opens the library at `path`. A second call answers the library that is open already and fails for another
// path.
Status OpenOrt(const std::string& path, const Ort** ort);

// Turns an OrtStatus into ours and frees it; null is success.
Status TakeOrtStatus(const Ort& ort, OrtStatus* status, Code code);

}  // namespace sluice
