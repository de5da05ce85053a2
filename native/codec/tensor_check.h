// Checks of one tensor against the model: shape, sizes, the walk through BYTES. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/model_spec.h"
#include "base/shape.h"
#include "base/status.h"
#include "codec/v2_plan.h"

namespace sluice {

// Checks the shape that a request wrote for `tensor`. On success `rows` is its batch (1 without batch
// dimension), `dims` what the model wants behind the batch dimension, `elements` the number of elements over
// all rows.
Status CheckShape(const ModelSpec& spec, const TensorSpec& tensor, const Dims& wire, int64_t* rows,
                  Dims* dims, int64_t* elements);

// Checks one input of a request against the model and against the inputs seen before: given once, the model's
// datatype, its shape, one batch size for all. Fills `planned` but for where its bytes are, adds it to `seen`
// (bits by index), sets the rows of `plan`.
Status CheckInput(const ModelSpec& spec, size_t index, DataType type, const Dims& wire, uint64_t* seen,
                  V2Plan* plan, PlannedInput* planned);

// When the last input of `plan` has been checked: every input of the model is in `seen`, and the rows are not
// more than the request's bytes bear out.
Status CheckWhole(const ModelSpec& spec, uint64_t seen, const V2Plan& plan);

// Bits of all of `count` tensors.
inline uint64_t AllBits(size_t count) {
  return count >= kMaxTensors ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

Status NoSuchTensor(const ModelSpec& spec, const char* kind, const std::vector<TensorSpec>& tensors,
                    std::string_view name);

// A BYTES tensor in V2 form holds exactly `elements` strings and nothing else.
Status CheckBytesWalk(const TensorSpec& tensor, const uint8_t* bytes, size_t byte_count, int64_t elements);

// How a tensor is called in a message: input "x".
std::string InputName(const std::string& name);

}  // namespace sluice
