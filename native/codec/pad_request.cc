#include "codec/pad_request.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "codec/tensor_check.h"
#include "codec/v2_plan.h"

namespace sluice {

namespace {

constexpr int64_t kAbsent = -1;
// Where a second dimension varies, the model does not bound what padding makes of a few bytes.
constexpr int64_t kMostPaddedBytes = int64_t{256} << 20;

// One as an element of `type`, little-endian.
std::array<uint8_t, 8> OneOf(DataType type) {
  std::array<uint8_t, 8> element{};
  const auto put = [&element](auto value) { std::memcpy(element.data(), &value, sizeof(value)); };
  switch (type) {
    case DataType::kFp16:
      put(uint16_t{0x3c00});
      break;
    case DataType::kBf16:
      put(uint16_t{0x3f80});
      break;
    case DataType::kFp32:
      put(1.0f);
      break;
    case DataType::kFp64:
      put(1.0);
      break;
    default:
      element[0] = 1;
  }
  return element;
}

// All ones: what the client sent is real.
Status MakeMask(const ModelSpec& spec, const PaddingRule& rule, int64_t own, Request* request) {
  const RequestInput& lead = request->inputs[rule.inputs[0]];
  const TensorSpec& tensor = spec.inputs[rule.mask];
  RequestInput& mask = request->inputs[rule.mask];
  int64_t positions = 0;
  // Another dimension of 0 would let a few bytes claim a mask of any size.
  if (!CheckedMultiply(request->rows, own, &positions) || positions > lead.elements) {
    return Status(Code::kShapeMismatch, "expected elements at each position of " +
                                            InputName(spec.inputs[rule.inputs[0]].name) + " of " +
                                            spec.display + ", or " + InputName(tensor.name) +
                                            " beside it, got a shape with a dimension of 0");
  }
  mask.dims.Clear();
  for (const int64_t dim : tensor.model_dims) mask.dims.Push(dim < 0 ? own : dim);
  if (!ElementCount(mask.dims, &mask.elements) ||
      !CheckedMultiply(mask.elements, request->rows, &mask.elements)) {
    return Status(Code::kShapeMismatch, "the number of elements of " + InputName(tensor.name) + " overflows");
  }
  const std::array<uint8_t, 8> one = OneOf(tensor.type);
  const size_t element_bytes = DataTypeBytes(tensor.type);
  mask.bytes = nullptr;
  mask.byte_count = static_cast<size_t>(mask.elements) * element_bytes;
  request->tensors.Resize(AlignUp(request->tensors.size()));
  mask.offset = request->tensors.size();
  request->tensors.Resize(mask.offset + mask.byte_count);
  uint8_t* at = request->tensors.data() + mask.offset;
  for (int64_t i = 0; i < mask.elements; ++i, at += element_bytes) std::memcpy(at, one.data(), element_bytes);
  return Status();
}

Status TooLong(const ModelSpec& spec, const PaddingRule& rule, int64_t own) {
  return Status(Code::kShapeMismatch, "expected a length of at most " + std::to_string(rule.lengths.back()) +
                                          " for " + InputName(spec.inputs[rule.inputs[0]].name) + " of " +
                                          spec.display + ", got " + std::to_string(own));
}

bool HasSecondVaryingDim(const TensorSpec& tensor) {
  return std::count_if(tensor.model_dims.begin(), tensor.model_dims.end(),
                       [](int64_t dim) { return dim < 0; }) > 1;
}

// `input` has the dimensions of the run.
Status CheckPaddedSize(const ModelSpec& spec, const TensorSpec& tensor, const RequestInput& input,
                       int64_t rows) {
  int64_t elements = 0;
  const int64_t run_rows = std::min(rows, std::max<int64_t>(spec.max_batch_rows, 1));
  const int64_t element_bytes = static_cast<int64_t>(DataTypeBytes(tensor.type));
  if (ElementCount(input.dims, &elements) && CheckedMultiply(elements, run_rows, &elements) &&
      elements <= kMostPaddedBytes / element_bytes) {
    return Status();
  }
  return Status(Code::kShapeMismatch, "expected at most " + std::to_string(kMostPaddedBytes) + " bytes of " +
                                          InputName(tensor.name) + " of " + spec.display +
                                          " when padded to the shape " + DimsText(input.dims));
}

}  // namespace

void MarkMasksAbsent(const ModelSpec& spec, Request* request) {
  for (const PaddingRule& rule : spec.padding) {
    if (rule.mask != kNoTensor) request->inputs[rule.mask].elements = kAbsent;
  }
}

Status PadRequest(const ModelSpec& spec, Request* request) {
  for (const PaddingRule& rule : spec.padding) {
    const TensorSpec& lead = spec.inputs[rule.inputs[0]];
    const int64_t own = request->inputs[rule.inputs[0]].dims.at[lead.pad_dim];
    const int64_t padded = rule.LengthFor(own);
    if (padded < 0) return TooLong(spec, rule, own);
    for (const size_t index : rule.inputs) {
      const TensorSpec& tensor = spec.inputs[index];
      RequestInput& input = request->inputs[index];
      if (input.elements == kAbsent) {
        if (Status status = MakeMask(spec, rule, own, request); !status.ok()) return status;
      }
      int64_t& dim = input.dims.at[tensor.pad_dim];
      if (dim != own) {
        return Status(Code::kShapeMismatch, "expected one length for " + InputName(lead.name) + " and " +
                                                InputName(tensor.name) + " of " + spec.display + ", got " +
                                                std::to_string(own) + " and " + std::to_string(dim));
      }
      input.length = own;
      dim = padded;
      if (!HasSecondVaryingDim(tensor)) continue;
      if (Status status = CheckPaddedSize(spec, tensor, input, request->rows); !status.ok()) return status;
    }
  }
  request->shape_key = InputShapeKey(spec, request->inputs);
  return Status();
}

uint64_t InputShapeKey(const ModelSpec& spec, const std::vector<RequestInput>& inputs) {
  uint64_t key = kFirstShapeKey;
  bool varies = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (spec.inputs[i].row_elements >= 0) continue;
    varies = true;
    key = NextShapeKey(key, i, inputs[i].dims);
  }
  if (!varies) return 0;
  return key == 0 ? 1 : key;
}

}  // namespace sluice
