// Reads the elements of one tensor from JSON, flat or nested, depth first, into memory for exactly `elements`
// of them. Any thread; throws nothing.
#pragma once

#include <simdjson.h>

#include "base/model_spec.h"
#include "base/status.h"
#include "memory/aligned_buffer.h"

namespace sluice {

// Appends the tensor to `out` in row-major binary form (BYTES in V2 form). On failure `out` has what was read
// so far.
Status ReadJsonTensor(simdjson::ondemand::array elements, const TensorSpec& tensor, int64_t element_count,
                      AlignedBuffer* out);

}  // namespace sluice
