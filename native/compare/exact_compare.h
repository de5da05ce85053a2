// Integers, BOOL and BYTES: equal or not, element by element. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/data_type.h"

namespace sluice {

struct ExactSums {
  int64_t apart = 0;
  double absolute = 0;  // integers only
  double max_absolute = 0;
  double relative = 0;
  double max_relative = 0;
  int64_t worst_element = -1;  // relative to the first one given
};

// `type` is an integer type or BOOL.
ExactSums CompareIntegers(DataType type, const uint8_t* primary, const uint8_t* shadow, int64_t count);

// Walks both tensors of BYTES in V2 form by one row; `primary_at` and `shadow_at` move past it. False where a
// length leads past the end.
struct BytesWalk {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  size_t at = 0;
};
bool CompareStrings(BytesWalk* primary, BytesWalk* shadow, int64_t count, ExactSums* sums);

}  // namespace sluice
