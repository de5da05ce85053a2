// Whether a run measured the server, or the generator and the machine.
#pragma once

#include <string>
#include <vector>

#include "options.h"
#include "outcome.h"

namespace sluice::load {

struct Rates {
  double window_s = 0;
  // 0 in a closed loop.
  double offered_per_s = 0;
  double achieved_per_s = 0;
};

Rates RatesOf(const Options& options, const Outcome& outcome, int64_t measure_begin_ns);

// Why the run is not valid; empty when it is.
std::vector<std::string> ReasonsAgainst(const Options& options, const Outcome& outcome, const Rates& rates);

}  // namespace sluice::load
