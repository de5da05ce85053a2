// Arrival times of an open-loop run, made before the run from one seed, and dealt out to the threads in turn:
// the same seed gives the same arrivals for any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "options.h"

namespace sluice::load {

// Ascending offsets from the start of the run, in nanoseconds, for thread `thread` of `options.threads`.
std::vector<int64_t> MakeSchedule(const Options& options, uint32_t thread);

}  // namespace sluice::load
