// Rows of different lengths brought up to the length of their batch. The thread that gathers.
#pragma once

#include <cstdint>

#include "base/model_spec.h"
#include "memory/aligned_buffer.h"
#include "schedule/request.h"

namespace sluice {

inline bool IsShort(const TensorSpec& tensor, const RequestInput& input) {
  return tensor.pad_rule != kNoRule && input.length < input.dims.at[tensor.pad_dim];
}

// Appends the rows of the present piece of a request, filled up along the padded dimension; answers the
// elements appended.
int64_t AppendPadded(const TensorSpec& tensor, const Request& request, const RequestInput& input,
                     AlignedBuffer* memory);

}  // namespace sluice
