// Warm-up: first runs of a version over growing batches, which also measure what a run costs. Loader thread.
#pragma once

#include "run/batch_input.h"
#include "run/runner.h"
#include "schedule/cost_table.h"

namespace sluice {

// Runs zeros at 1, 2, 4, ... rows up to the model's maximum until `budget_ns` is spent. A model that refuses
// zeros (ids out of range, shapes that must agree) is not at fault: the table is then shorter or empty.
CostTable WarmUp(const ModelSpec& spec, RunSlot* slot, BatchInput* input, int64_t budget_ns);

}  // namespace sluice
