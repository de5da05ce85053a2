#include "engine/cut_rows.h"

#include <cstring>

namespace sluice {

namespace {

// Bytes of a BYTES tensor that hold `elements` strings.
size_t StringBytes(const uint8_t* bytes, int64_t elements) {
  size_t at = 0;
  for (int64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, bytes + at, sizeof(length));
    at += sizeof(length) + length;
  }
  return at;
}

// The reply's shape: what the run made, with the request's own batch in front; a model tensor of rank 0 is
// told as [1].
Dims ReplyDims(const ModelSpec& spec, const TensorSpec& tensor, const RunTensor& output, int64_t rows) {
  Dims dims;
  const int inner = spec.has_batch_dim() ? 1 : 0;
  if (inner == 1) dims.Push(rows);
  if (tensor.dims.size() != tensor.model_dims.size()) {
    // A reshape: dimensions that vary are carried over in order.
    size_t varying = 0;
    for (const int64_t dim : tensor.dims) {
      if (dim >= 0) {
        dims.Push(dim);
        continue;
      }
      while (varying < tensor.model_dims.size() && tensor.model_dims[varying] >= 0) ++varying;
      dims.Push(varying < tensor.model_dims.size() ? output.dims.at[inner + static_cast<int>(varying++)] : 1);
    }
    return dims;
  }
  for (int i = inner; i < output.dims.rank; ++i) dims.Push(output.dims.at[i]);
  return dims;
}

}  // namespace

Status CheckOutputs(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows) {
  if (!spec.has_batch_dim()) return Status();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Dims& dims = outputs[i].dims;
    if (dims.rank >= 1 && dims.at[0] == rows) continue;
    return Status(Code::kRunFailed, "output \"" + spec.outputs[i].name + "\" has shape " + DimsText(dims) +
                                        " after a run of " + std::to_string(rows) + " rows");
  }
  return Status();
}

RowCutter::RowCutter(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
                     std::vector<OutputRows>* parts)
    : spec_(spec), outputs_(outputs), rows_(rows), parts_(parts) {
  parts->resize(spec.outputs.size());
  for (size_t o = 0; o < parts->size(); ++o) {
    (*parts)[o].bytes = outputs[o].bytes;
    (*parts)[o].byte_count = 0;
  }
}

const std::vector<OutputRows>& RowCutter::Next(int64_t request_rows) {
  for (size_t o = 0; o < parts_->size(); ++o) {
    const RunTensor& whole = outputs_[o];
    OutputRows& part = (*parts_)[o];
    part.bytes += part.byte_count;
    part.elements = spec_.has_batch_dim() ? whole.elements / rows_ * request_rows : whole.elements;
    part.byte_count = spec_.outputs[o].type == DataType::kBytes
                          ? StringBytes(part.bytes, part.elements)
                          : static_cast<size_t>(part.elements) * DataTypeBytes(spec_.outputs[o].type);
    part.dims = ReplyDims(spec_, spec_.outputs[o], whole, request_rows);
  }
  return *parts_;
}

}  // namespace sluice
