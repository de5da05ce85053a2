// Checks of one tensor against the model: shape, sizes, the walk through BYTES. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/model_spec.h"
#include "base/shape.h"
#include "base/status.h"

namespace sluice {

// Checks the shape that a request wrote for `tensor`. On success `rows` is its batch (1 without batch
// dimension), `dims` what the model wants behind the batch dimension, `elements` the number of elements over
// all rows.
Status CheckShape(const ModelSpec& spec, const TensorSpec& tensor, const Dims& wire, int64_t* rows,
                  Dims* dims, int64_t* elements);

// A BYTES tensor in V2 form holds exactly `elements` strings and nothing else.
Status CheckBytesWalk(const TensorSpec& tensor, const uint8_t* bytes, size_t byte_count, int64_t elements);

// How a tensor is called in a message: input "x".
std::string InputName(const std::string& name);

}  // namespace sluice
