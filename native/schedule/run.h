// Run: one batch under way. It lies with the worker that runs it; the scheduler has it in its list from Pick
// to Ended, so that the watch sees how long it takes. Guarded by the scheduler's mutex, except `batch`, whose
// requests belong to the worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedule/version_queue.h"

namespace sluice {

struct Run {
  VersionQueue* queue = nullptr;  // null: nothing to run, only `dropped` to answer
  Batch batch;
  std::vector<Request*> dropped;   // left their queues unrun, of any version; drop_code says why
  std::vector<Request*> finished;  // filled by Ended: to be completed; the others went back to wait
  int64_t started_ns = 0;
  int64_t estimate_ns = 0;  // 0: nothing is known
  bool is_late = false;     // another worker stands in
  bool is_hung = false;     // its instance counts as lost until it comes back
  size_t index = 0;         // in the scheduler's list

  // When a run is late, and when it counts as hung.
  int64_t late_at_ns() const { return started_ns + Longer(50'000'000, 4 * estimate_ns); }
  int64_t hung_at_ns() const { return started_ns + Longer(1'000'000'000, 10 * estimate_ns); }

  void Clear() {
    queue = nullptr;
    batch.requests.clear();
    batch.rows = 0;
    dropped.clear();
    finished.clear();
    is_late = false;
    is_hung = false;
  }

 private:
  static int64_t Longer(int64_t a, int64_t b) { return a > b ? a : b; }
};

}  // namespace sluice
