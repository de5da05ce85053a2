// What a model version's configuration says about its queue. Made once when the version starts, then read by
// any thread; only the batch limit follows the cost table, under the scheduler's mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "schedule/policy.h"

namespace sluice {

// Triton's ModelQueuePolicy.
struct LevelPolicy {
  int64_t timeout_ns = 0;  // 0: none
  bool may_override = false;
  bool delays = false;        // on a timeout: false refuses, true moves behind all others of the level
  int64_t most_requests = 0;  // 0: as many as fit the other bounds
};

struct QueueRules {
  BatchRules batch;
  bool may_batch = true;      // several requests may share a run
  bool follows_knee = false;  // the batch limit was measured, not configured
  bool may_cut = true;        // a request's rows may be run in several runs
  int64_t most_run_rows = 1;  // the model's max_batch_size
  int instance_count = 1;     // runs at the same time
  bool keeps_order = false;   // answers in the order of arrival: one run at a time, one lane
  int levels = 1;
  int default_level = 1;
  // By level from 1 on; empty: no policy is configured and a request's own timeout counts as its deadline.
  std::vector<LevelPolicy> policies;
  double weight = 1;  // share of the workers beside other versions
  size_t most_bytes = size_t{256} << 20;
  std::string display;  // model "m" version 1
};

}  // namespace sluice
