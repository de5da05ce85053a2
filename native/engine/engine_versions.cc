// The model versions of the Engine, from open to freed, and the memory that they leave. Same object as
// engine.cc.
#include <malloc.h>

#include <new>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/refusal.h"
#include "run/load_runner.h"

namespace sluice {

namespace {

constexpr int64_t kTrimPauseNs = 1'000'000'000;

}  // namespace

Status Engine::Open(const SessionOptions& options, uint32_t* handle) {
  Status status = TryOpen(options, handle);
  TrimSoon();
  return status;
}

Status Engine::TryOpen(const SessionOptions& options, uint32_t* handle) {
  std::unique_ptr<ModelVersion> version;
  try {
    std::unique_ptr<Runner> model;
    if (Status status = LoadRunner(*ort_, options, &model); !status.ok()) return status;
    version = std::make_unique<ModelVersion>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Status(Code::kModelInvalid, kOutOfMemoryText);
  } catch (const std::exception& error) {
    return Status(Code::kModelInvalid, std::string("the model cannot be loaded: ") + error.what());
  }
  for (size_t tried = 0; tried < kMostVersions; ++tried) {
    const size_t i = next_version_.fetch_add(1, std::memory_order_relaxed) % kMostVersions;
    ModelVersion* expected = nullptr;
    if (!versions_[i].compare_exchange_strong(expected, version.get(), std::memory_order_acq_rel)) continue;
    version.release();
    *handle = static_cast<uint32_t>(i);
    return Status();
  }
  return Status(Code::kInternal,
                "expected at most " + std::to_string(kMostVersions) + " open model versions");
}

Status Engine::Start(uint32_t handle, StartOptions options) {
  ModelVersion* version = Version(handle);
  if (version == nullptr)
    return Status(Code::kInternal, "no open model has handle " + std::to_string(handle));
  try {
    return version->Start(std::move(options), options_.inline_budget_ns, options_.longest_ns,
                          options_.workers);
  } catch (const std::bad_alloc&) {
    return Status(Code::kModelInvalid, kOutOfMemoryText);
  } catch (const std::exception& error) {
    return Status(Code::kModelInvalid, std::string("the model cannot be started: ") + error.what());
  }
}

ModelVersion* Engine::Take(uint32_t handle) {
  return handle < kMostVersions ? versions_[handle].exchange(nullptr, std::memory_order_acq_rel) : nullptr;
}

void Engine::Free(ModelVersion* version) {
  version->WaitUntilIdle();
  delete version;
  TrimSoon();
}

void Engine::PutBack(uint32_t handle, ModelVersion* version) {
  versions_[handle].store(version, std::memory_order_release);
}

// Left to the watch: it locks the allocator, and a thread of low priority that loses its core meanwhile would
// keep the loop waiting.
void Engine::TrimSoon() {
  int64_t none = kNever;
  const int64_t due_ns = NowNs() + kTrimPauseNs;
  if (trim_due_ns_.compare_exchange_strong(none, due_ns)) scheduler_.WakeWatch(due_ns);
}

int64_t Engine::TrimIfDue(int64_t now_ns) {
  const int64_t due_ns = trim_due_ns_.load(std::memory_order_relaxed);
  if (due_ns > now_ns) return due_ns;
  trim_due_ns_.store(kNever, std::memory_order_relaxed);
  // The allocator keeps what sessions and their making give back, for others that may never come.
  malloc_trim(0);
  return kNever;
}

}  // namespace sluice
