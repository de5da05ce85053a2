// What the encoders are given of a run. Header only; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/shape.h"

namespace sluice {

// One request's part of one output: its own rows and no more.
struct OutputRows {
  Dims dims;                       // as the reply tells it, the request's own batch in front
  const uint8_t* bytes = nullptr;  // BYTES in V2 form
  size_t byte_count = 0;
  int64_t elements = 0;
};

}  // namespace sluice
