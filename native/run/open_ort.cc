#include "run/open_ort.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace sluice {

namespace {

// The calls used here exist since then.
constexpr int kOldestApi = 17;

int MinorVersion(const std::string& version) {
  const size_t dot = version.find('.');
  return dot == std::string::npos ? 0 : std::atoi(version.c_str() + dot + 1);
}

Status MakeEnvironment(Ort* ort) {
  // Official builds since 1.29 send telemetry unless this is set before the environment exists.
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  const OrtApi* api = ort->api;
  if (OrtStatus* status = api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "sluice", &ort->env)) {
    return TakeOrtStatus(*ort, status, Code::kInternal);
  }
  if (OrtStatus* status = api->DisableTelemetryEvents(ort->env)) api->ReleaseStatus(status);
  if (OrtStatus* status = api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &ort->cpu_memory)) {
    return TakeOrtStatus(*ort, status, Code::kInternal);
  }
  char** names = nullptr;
  int count = 0;
  if (OrtStatus* status = api->GetAvailableProviders(&names, &count)) {
    return TakeOrtStatus(*ort, status, Code::kInternal);
  }
  ort->providers.assign(names, names + count);
  if (OrtStatus* status = api->ReleaseAvailableProviders(names, count)) api->ReleaseStatus(status);
  return Status();
}

Status Open(const std::string& path, Ort* ort) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Status(Code::kInternal, "cannot open ONNX Runtime: " + std::string(dlerror()));
  }
  using GetBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr)
    return Status(Code::kInternal, path + " is not an ONNX Runtime library: no OrtGetApiBase");
  ort->path = path;
  ort->version = get_base()->GetVersionString();
  // Release 1.N offers API N; asking for more would print to stderr and answer null.
  ort->library_api = MinorVersion(ort->version);
  ort->api_version = std::min(ORT_API_VERSION, ort->library_api);
  if (ort->api_version < kOldestApi) {
    return Status(Code::kInternal, "expected ONNX Runtime 1." + std::to_string(kOldestApi) + " or later, " +
                                       path + " is " + ort->version);
  }
  ort->api = get_base()->GetApi(static_cast<uint32_t>(ort->api_version));
  if (ort->api == nullptr)
    return Status(Code::kInternal, path + " does not offer API " + std::to_string(ort->api_version));
  return MakeEnvironment(ort);
}

}  // namespace

Status OpenOrt(const std::string& path, const Ort** ort) {
  // Shared by every event loop of the process on purpose: ONNX Runtime allows one environment.
  static std::mutex mutex;
  static Ort* opened = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (opened == nullptr) {
    auto fresh = std::make_unique<Ort>();
    if (Status status = Open(path, fresh.get()); !status.ok()) return status;
    opened = fresh.release();
  } else if (opened->path != path) {
    return Status(Code::kInternal,
                  "ONNX Runtime is open from " + opened->path + " already, asked for " + path);
  }
  *ort = opened;
  return Status();
}

}  // namespace sluice
