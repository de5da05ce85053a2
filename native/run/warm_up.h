// Measures what runs cost, before a version serves. Loader thread.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/model_spec.h"
#include "run/batch_input.h"
#include "run/runner.h"
#include "schedule/cost_table.h"

namespace sluice {

// How many lengths are measured, each as a table of its own: those of the one padding rule that alone decides
// the shape of a run, else one.
size_t MeasuredLengths(const ModelSpec& spec);

struct WarmUpLimits {
  int64_t budget_ns = 0;
  int64_t most_rows = 0;  // 0: the model's maximum
};

// Runs zeros at 1, 2, 4, ... rows up to the limit until `budget_ns` is spent, for each measured length. A
// model that refuses zeros (ids out of range, shapes that must agree) is not at fault: a table is then
// shorter or empty. Runs are timed by `run_clock`: processor time, where it is all that a run needs, is not
// disturbed by a server that serves other versions meanwhile, and a knee found too low would stay.
std::vector<CostTable> WarmUp(const ModelSpec& spec, RunSlot* slot, BatchInput* input,
                              const WarmUpLimits& limits, ReadClock run_clock);

}  // namespace sluice
