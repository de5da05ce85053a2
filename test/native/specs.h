// Small model specs for the codec's tests. Header only.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/model_spec.h"

namespace sluice::test {

inline TensorSpec Tensor(const char* name, DataType type, std::vector<int64_t> dims) {
  TensorSpec tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.dims = dims;
  tensor.model_dims = dims;
  tensor.row_elements = 1;
  for (const int64_t dim : dims)
    tensor.row_elements = dim < 0 || tensor.row_elements < 0 ? -1 : tensor.row_elements * dim;
  tensor.reply_prefix = "{\"name\":\"" + std::string(name) + "\",\"datatype\":\"" +
                        std::string(DataTypeName(type)) + "\",\"shape\":[";
  return tensor;
}

inline ModelSpec Model(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                       int64_t max_batch_rows = 8) {
  static uint64_t serial = 1000;
  ModelSpec spec;
  spec.serial = ++serial;
  spec.name = "m";
  spec.version = "1";
  spec.display = "model \"m\" version 1";
  spec.reply_prefix = "\"model_name\":\"m\",\"model_version\":\"1\"";
  spec.max_batch_rows = max_batch_rows;
  spec.inputs = std::move(inputs);
  spec.outputs = std::move(outputs);
  return spec;
}

inline ModelSpec OneInput(DataType type, std::vector<int64_t> dims, int64_t max_batch_rows = 8) {
  return Model({Tensor("x", type, dims)}, {Tensor("y", DataType::kFp32, {2})}, max_batch_rows);
}

// Input "x" padded with `element`, and where wanted a mask "m" of its length; output "y".
inline ModelSpec Padded(TensorSpec x, int dim, std::vector<uint8_t> element, TensorSpec y,
                        bool has_mask = false) {
  std::vector<TensorSpec> inputs = {std::move(x)};
  if (has_mask) inputs.push_back(Tensor("m", DataType::kInt32, {-1}));
  ModelSpec spec = Model(std::move(inputs), {std::move(y)});
  PaddingRule rule;
  rule.lengths = {4, 8};
  rule.inputs = {0};
  spec.inputs[0].pad_rule = 0;
  spec.inputs[0].pad_dim = dim;
  std::copy(element.begin(), element.end(), spec.inputs[0].pad_element.begin());
  if (has_mask) {
    rule.inputs.push_back(1);
    rule.mask = 1;
    spec.inputs[1].pad_rule = 0;
    spec.optional_inputs = 2;
  }
  spec.outputs[0].follows.assign(spec.outputs[0].model_dims.size(), kNoRule);
  for (size_t d = 0; d < spec.outputs[0].model_dims.size(); ++d) {
    if (spec.outputs[0].model_dims[d] < 0) spec.outputs[0].follows[d] = 0;
  }
  spec.padding.push_back(rule);
  return spec;
}

}  // namespace sluice::test
