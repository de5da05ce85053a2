// What the JSON part of a V2 request says, checked against the model: where every tensor comes from and which
// outputs go back. A plan whose tensors are all binary depends on the JSON bytes alone, so it can be kept and
// used again for equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/model_spec.h"
#include "base/shape.h"

namespace sluice {

struct PlannedInput {
  size_t index = 0;  // in the model's order
  bool is_binary = false;
  size_t byte_count = 0;  // of the blob, or of the tensor parsed from JSON
  size_t offset = 0;      // in the request's `tensors`, for one parsed from JSON
  int64_t elements = 0;
  Dims dims;  // without the batch dimension, as the model wants it
};

struct V2Plan {
  int64_t rows = 1;
  uint64_t shape_key = 0;
  std::vector<PlannedInput> inputs;  // in the request's order, which is the order of the blobs
  std::string id_json;
  uint8_t priority = 0;          // parameter "priority"; 0 = not given
  int64_t queue_timeout_ns = 0;  // parameter "timeout"; 0 = not given
  uint64_t wanted_outputs = 0;
  uint64_t binary_outputs = 0;
  bool has_json_tensor = false;

  void Clear() {
    rows = 1;
    shape_key = 0;
    inputs.clear();
    id_json.clear();
    priority = 0;
    queue_timeout_ns = 0;
    wanted_outputs = 0;
    binary_outputs = 0;
    has_json_tensor = false;
  }
};

inline constexpr uint64_t kFirstShapeKey = 0xcbf29ce484222325u;
inline uint64_t NextShapeKey(uint64_t key, size_t index, const Dims& dims) {
  constexpr uint64_t kPrime = 0x100000001b3u;
  key = (key ^ index) * kPrime;
  for (int i = 0; i < dims.rank; ++i) key = (key ^ static_cast<uint64_t>(dims.at[i])) * kPrime;
  return key;
}

// 0 for a model whose dimensions are all fixed; otherwise a hash over the inputs' dims, never 0.
uint64_t ShapeKey(const ModelSpec& spec, const V2Plan& plan);

}  // namespace sluice
