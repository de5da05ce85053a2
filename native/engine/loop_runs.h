// LoopRun: the run that an event loop is in, told to the engine's watch. Written by its loop around each run,
// read by the watch; owned by the loop's batcher, which enters it into the list and takes it out.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "engine/model_version.h"

namespace sluice {

struct LoopRun {
  std::atomic<int64_t> started_ns{0};  // 0: none
  std::atomic<const ModelVersion*> version{nullptr};

  void Begin(const ModelVersion* of, int64_t now_ns) {
    version.store(of, std::memory_order_relaxed);
    started_ns.store(now_ns, std::memory_order_release);
  }
  void End() { started_ns.store(0, std::memory_order_relaxed); }
};

class LoopRuns {
 public:
  void Add(LoopRun* run);
  void Remove(LoopRun* run);

  // Where a loop has been in one run for `limit_ns`, nothing of the server answers any more, and a run cannot
  // be broken off: the process says which model it is and ends, so that whoever supervises it starts another.
  // To be called several times within the limit.
  void ExitIfHung(int64_t now_ns, int64_t limit_ns);

 private:
  std::mutex mutex_;
  std::vector<LoopRun*> runs_;
  int64_t last_look_ns_ = 0;
};

// The exit code of that end.
inline constexpr int kHungExitCode = 71;

}  // namespace sluice
