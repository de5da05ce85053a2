// The batching policy: pure functions of queue facts and an instant. No clock, no lock, no memory of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/release.h"
#include "schedule/request.h"

namespace sluice {

struct BatchRules {
  int64_t limit_rows = 1;               // rows a batch is filled to (the knee, at most the model's maximum)
  int64_t max_queue_delay_ns = 0;       // how long the oldest request may wait for company
  std::vector<int64_t> preferred_rows;  // ascending; sizes worth running before the delay is over
};

struct LaneFacts {
  int64_t rows = 0;                  // waiting rows
  int64_t oldest_ns = 0;             // when the oldest of them was submitted
  int64_t latest_start_ns = kNever;  // a batch that starts later misses a deadline
  int64_t limit_rows = kNever;       // of the lane's shape, where it is less than that of the rules
};

struct BatchDecision {
  bool may_run = false;
  int64_t take_rows = 0;  // upper bound for this batch
  Release release = Release::kIdleWorker;
  int64_t look_again_ns = 0;  // when not: the instant at which waiting ends
};

// An idle worker asks this for a lane that has something waiting (facts.rows > 0).
BatchDecision DecideBatch(const BatchRules& rules, const LaneFacts& facts, int64_t now_ns);

}  // namespace sluice
