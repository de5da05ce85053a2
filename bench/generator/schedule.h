// Arrival times of an open-loop run, made before the run from one seed, and dealt out to the threads in turn:
// the same seed gives the same arrivals for any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "options.h"

namespace sluice::load {

struct Arrival {
  // From the start of the run.
  int64_t at_ns = 0;
  // Which request; -1: by weight.
  int32_t request = -1;
};

// Ascending, for thread `thread` of `options.threads`.
std::vector<Arrival> MakeSchedule(const Options& options, uint32_t thread);

}  // namespace sluice::load
