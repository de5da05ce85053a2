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
Dims ReplyDims(const ModelSpec& spec, const TensorSpec& tensor, const Dims& output, int64_t rows) {
  Dims dims;
  const int inner = spec.has_batch_dim() ? 1 : 0;
  if (inner == 1) dims.Push(rows);
  if (tensor.dims != tensor.model_dims) {
    // A reshape: dimensions that vary are carried over in order.
    size_t varying = 0;
    for (const int64_t dim : tensor.dims) {
      if (dim >= 0) {
        dims.Push(dim);
        continue;
      }
      while (varying < tensor.model_dims.size() && tensor.model_dims[varying] >= 0) ++varying;
      dims.Push(varying < tensor.model_dims.size() ? output.at[inner + static_cast<int>(varying++)] : 1);
    }
    return dims;
  }
  for (int i = inner; i < output.rank; ++i) dims.Push(output.at[i]);
  return dims;
}

}  // namespace

Status CheckOutputs(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
                    const Request& request) {
  if (!spec.has_batch_dim()) return Status();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Dims& dims = outputs[i].dims;
    if (dims.rank >= 1 && dims.at[0] == rows) continue;
    return Status(Code::kRunFailed, "output \"" + spec.outputs[i].name + "\" has shape " + DimsText(dims) +
                                        " after a run of " + std::to_string(rows) + " rows");
  }
  return spec.has_padding() ? CheckLengths(spec, outputs, request) : Status();
}

RowCutter::RowCutter(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
                     std::vector<OutputRows>* parts, std::vector<PaddedOutput>* padded)
    : spec_(spec), outputs_(outputs), rows_(rows), parts_(parts), padded_(padded) {
  parts->resize(spec.outputs.size());
  for (size_t o = 0; o < parts->size(); ++o) {
    (*parts)[o].bytes = outputs[o].bytes;
    (*parts)[o].byte_count = 0;
  }
  if (!spec.has_padding()) return;
  if (padded->empty()) *padded = std::vector<PaddedOutput>(spec.outputs.size());
  for (size_t o = 0; o < parts->size(); ++o) (*padded)[o].Start(spec, spec.outputs[o], outputs[o]);
}

const std::vector<OutputRows>& RowCutter::Next(const Request& request) {
  for (size_t o = 0; o < parts_->size(); ++o) {
    const RunTensor& whole = outputs_[o];
    const TensorSpec& tensor = spec_.outputs[o];
    OutputRows& part = (*parts_)[o];
    if (!tensor.follows.empty()) {
      Dims own;
      (*padded_)[o].Next(request, &own, &part);
      part.dims = ReplyDims(spec_, tensor, own, request.part_rows);
      continue;
    }
    part.bytes += part.byte_count;
    part.elements = spec_.has_batch_dim() ? whole.elements / rows_ * request.part_rows : whole.elements;
    part.byte_count = tensor.type == DataType::kBytes
                          ? StringBytes(part.bytes, part.elements)
                          : static_cast<size_t>(part.elements) * DataTypeBytes(tensor.type);
    part.dims = ReplyDims(spec_, tensor, whole.dims, request.part_rows);
  }
  return *parts_;
}

}  // namespace sluice
