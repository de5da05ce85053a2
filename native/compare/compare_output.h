// One output of the primary's answer against the same output of the shadow's, row by row. Pure; any thread.
#pragma once

#include "compare/difference.h"
#include "compare/float_compare.h"

namespace sluice {

// What two right versions of one model may differ by in this type: another order of sums, another kernel.
FloatLimit DefaultLimit(DataType type);

// `rows`: the length of the batch dimension, 1 where there is none. Bytes of both must be as long as their
// element counts say.
OutputDifference CompareOutput(const TensorView& primary, const TensorView& shadow, int64_t rows,
                               const CompareRule& rule);

}  // namespace sluice
