#include "codec/tensor_check.h"

#include <algorithm>
#include <cstring>

#include "codec/names.h"

namespace sluice {

namespace {

std::string ExpectedShape(const ModelSpec& spec, const TensorSpec& tensor) {
  std::string text = "[";
  if (spec.has_batch_dim()) text += "1.." + std::to_string(spec.max_batch_rows);
  for (const int64_t dim : tensor.dims) {
    if (text.size() > 1) text += ",";
    text += std::to_string(dim);
  }
  return text + "]";
}

Status WrongShape(const ModelSpec& spec, const TensorSpec& tensor, const Dims& wire) {
  return Status(Code::kShapeMismatch, "expected shape " + ExpectedShape(spec, tensor) + " for " +
                                          InputName(tensor.name) + " of " + spec.display + ", got " +
                                          DimsText(wire));
}

// Carries the request's values of varying dimensions over into the model's shape.
void FillModelDims(const TensorSpec& tensor, const int64_t* wire, Dims* dims) {
  dims->Clear();
  size_t varying = 0;
  for (const int64_t model_dim : tensor.model_dims) {
    if (model_dim >= 0) {
      dims->Push(model_dim);
      continue;
    }
    while (varying < tensor.dims.size() && tensor.dims[varying] >= 0) ++varying;
    dims->Push(varying < tensor.dims.size() ? wire[varying++] : 1);
  }
}

}  // namespace

std::string InputName(const std::string& name) { return "input \"" + name + "\""; }

Status CheckShape(const ModelSpec& spec, const TensorSpec& tensor, const Dims& wire, int64_t* rows,
                  Dims* dims, int64_t* elements) {
  int64_t count = 0;
  if (!ElementCount(wire, &count) || count > INT64_MAX / 16) {
    return Status(Code::kShapeMismatch, "the number of elements of " + InputName(tensor.name) +
                                            " overflows: shape " + DimsText(wire));
  }
  const int batch_dims = spec.has_batch_dim() ? 1 : 0;
  const int expected_rank = batch_dims + static_cast<int>(tensor.dims.size());
  if (batch_dims == 0 && wire.rank == 0 && tensor.model_dims.empty()) {
    // A scalar is written [1]; [] says the same for a model tensor of rank 0.
    *rows = 1;
    dims->Clear();
    *elements = 1;
    return Status();
  }
  if (wire.rank != expected_rank) return WrongShape(spec, tensor, wire);
  for (int i = batch_dims; i < wire.rank; ++i) {
    const int64_t expected = tensor.dims[static_cast<size_t>(i - batch_dims)];
    if (expected >= 0 && wire.at[i] != expected) return WrongShape(spec, tensor, wire);
  }
  *rows = 1;
  if (batch_dims == 1) {
    *rows = wire.at[0];
    if (*rows < 1 || (*rows > spec.max_batch_rows && !spec.may_exceed_batch)) {
      return Status(Code::kShapeMismatch, "expected 1 to " + std::to_string(spec.max_batch_rows) +
                                              " rows for " + spec.display + ", got " + std::to_string(*rows) +
                                              " in " + InputName(tensor.name));
    }
  }
  FillModelDims(tensor, wire.at + batch_dims, dims);
  *elements = count;
  return Status();
}

Status CheckInput(const ModelSpec& spec, size_t index, DataType type, const Dims& wire, uint64_t* seen,
                  V2Plan* plan, PlannedInput* planned) {
  const TensorSpec& tensor = spec.inputs[index];
  const uint64_t bit = uint64_t{1} << index;
  if ((*seen & bit) != 0) return Status(Code::kBadRequest, InputName(tensor.name) + " is given twice");
  if (type != tensor.type) {
    return Status(Code::kTypeMismatch, "expected datatype " + std::string(DataTypeName(tensor.type)) +
                                           " for " + InputName(tensor.name) + " of " + spec.display +
                                           ", got " + std::string(DataTypeName(type)));
  }
  int64_t rows = 0;
  if (Status status = CheckShape(spec, tensor, wire, &rows, &planned->dims, &planned->elements);
      !status.ok()) {
    return status;
  }
  if (*seen != 0 && rows != plan->rows) {
    return Status(Code::kShapeMismatch, "expected one batch size for all inputs, got " +
                                            std::to_string(plan->rows) + " and " + std::to_string(rows) +
                                            " in " + InputName(tensor.name));
  }
  plan->rows = rows;
  planned->index = index;
  *seen |= bit;
  return Status();
}

Status CheckWhole(const ModelSpec& spec, uint64_t seen, const V2Plan& plan) {
  seen |= spec.optional_inputs;
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    if ((seen & (uint64_t{1} << i)) != 0) continue;
    return Status(Code::kUnknownTensor, spec.display + " needs " + InputName(spec.inputs[i].name) +
                                            ", the request has " + std::to_string(plan.inputs.size()) +
                                            " of its " + std::to_string(spec.inputs.size()) + " inputs");
  }
  // Rows without elements cost a client nothing, and each of them would be run.
  const bool has_elements = std::any_of(plan.inputs.begin(), plan.inputs.end(),
                                        [](const PlannedInput& input) { return input.elements > 0; });
  if (has_elements || !spec.has_batch_dim() || plan.rows <= spec.max_batch_rows) return Status();
  return Status(Code::kShapeMismatch, "expected at most " + std::to_string(spec.max_batch_rows) +
                                          " rows without elements for " + spec.display + ", got " +
                                          std::to_string(plan.rows));
}

Status NoSuchTensor(const ModelSpec& spec, const char* kind, const std::vector<TensorSpec>& tensors,
                    std::string_view name) {
  return Status(Code::kUnknownTensor,
                spec.display + " has no " + kind + " " + Quoted(name) + "; it has " + NamesOf(tensors));
}

Status CheckBytesWalk(const TensorSpec& tensor, const uint8_t* bytes, size_t byte_count, int64_t elements) {
  size_t at = 0;
  for (int64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    if (byte_count - at < sizeof(length)) {
      return Status(Code::kBadRequest, "expected " + std::to_string(elements) + " strings for " +
                                           InputName(tensor.name) + ", the bytes end after " +
                                           std::to_string(i));
    }
    std::memcpy(&length, bytes + at, sizeof(length));
    at += sizeof(length);
    if (byte_count - at < length) {
      return Status(Code::kBadRequest, "string " + std::to_string(i) + " of " + InputName(tensor.name) +
                                           " claims " + std::to_string(length) + " bytes, " +
                                           std::to_string(byte_count - at) + " are left");
    }
    at += length;
  }
  if (at != byte_count) {
    return Status(Code::kBadRequest, std::to_string(byte_count - at) + " bytes are left after the " +
                                         std::to_string(elements) + " strings of " + InputName(tensor.name));
  }
  return Status();
}

}  // namespace sluice
