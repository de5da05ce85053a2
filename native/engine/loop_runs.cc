#include "engine/loop_runs.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sluice {

void LoopRuns::Add(LoopRun* run) {
  std::lock_guard<std::mutex> lock(mutex_);
  runs_.push_back(run);
}

void LoopRuns::Remove(LoopRun* run) {
  std::lock_guard<std::mutex> lock(mutex_);
  runs_.erase(std::find(runs_.begin(), runs_.end(), run));
}

void LoopRuns::ExitIfHung(int64_t now_ns, int64_t limit_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  // After a stop of the whole process every run looks old.
  const bool was_awake = now_ns - last_look_ns_ < limit_ns / 2;
  last_look_ns_ = now_ns;
  if (!was_awake) return;
  for (const LoopRun* run : runs_) {
    const int64_t started_ns = run->started_ns.load(std::memory_order_acquire);
    if (started_ns == 0 || now_ns - started_ns < limit_ns) continue;
    // The version cannot go while its run is under way.
    const ModelVersion* version = run->version.load(std::memory_order_relaxed);
    std::fprintf(
        stderr,
        "sluice: a run of %s has kept the event loop for %lld ms: the process ends with exit code %d, "
        "to be started again; \"sluice\": {\"execution\": \"worker\"} keeps the model off the loop\n",
        version->spec().display.c_str(), static_cast<long long>((now_ns - started_ns) / 1'000'000),
        kHungExitCode);
    // Nothing that waits for the loop may be waited for.
    _exit(kHungExitCode);
  }
}

}  // namespace sluice
