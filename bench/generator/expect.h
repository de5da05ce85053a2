// Whether a reply says what it must. A batching server adds in another order from batch to batch, so numbers
// may differ in their last bits where a tolerance is given. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::load {

// The last `float_bytes` of `expected` are FP32; before them numbers are compared as numbers, all else as it
// is.
bool IsExpected(std::string_view got, std::string_view expected, size_t float_bytes, double tolerance);

}  // namespace sluice::load
