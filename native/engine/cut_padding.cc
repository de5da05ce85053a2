#include "engine/cut_padding.h"

#include <cstring>
#include <string>

namespace sluice {

namespace {

// The first input of a rule tells its lengths; they are the same in all.
const RequestInput& LeadOf(const ModelSpec& spec, int rule, const Request& request) {
  return request.inputs[spec.padding[static_cast<size_t>(rule)].inputs[0]];
}

int64_t RunLength(const ModelSpec& spec, int rule, const Request& request) {
  const size_t lead = spec.padding[static_cast<size_t>(rule)].inputs[0];
  return request.inputs[lead].dims.at[spec.inputs[lead].pad_dim];
}

int64_t Product(const Dims& dims, int from) {
  int64_t product = 1;
  for (int d = from; d < dims.rank; ++d) product *= dims.at[d];
  return product;
}

// Goes over the elements of a tensor once, from the first to the last.
struct ElementWalk {
  DataType type;
  const uint8_t* at;

  const uint8_t* Skip(int64_t elements) {
    const uint8_t* const begin = at;
    if (type != DataType::kBytes) {
      at += static_cast<size_t>(elements) * DataTypeBytes(type);
      return begin;
    }
    for (int64_t i = 0; i < elements; ++i) {
      uint32_t length = 0;
      std::memcpy(&length, at, sizeof(length));
      at += sizeof(length) + length;
    }
    return begin;
  }
};

// Copies what lies within `own` from dimension `d` on, and goes past all of `whole`. Behind dimension `last`
// both are equal.
void CopyWithin(const Dims& whole, const Dims& own, int d, int last, ElementWalk* walk, AlignedBuffer* to) {
  if (d == last) {
    const int64_t step = Product(whole, d + 1);
    const uint8_t* begin = walk->Skip(own.at[d] * step);
    to->Append(begin, static_cast<size_t>(walk->at - begin));
    walk->Skip((whole.at[d] - own.at[d]) * step);
    return;
  }
  for (int64_t i = 0; i < own.at[d]; ++i) CopyWithin(whole, own, d + 1, last, walk, to);
  walk->Skip((whole.at[d] - own.at[d]) * Product(whole, d + 1));
}

}  // namespace

PaddingCount CountPadding(const ModelSpec& spec, Request* const* requests, size_t count) {
  PaddingCount sum;
  for (const PaddingRule& rule : spec.padding) {
    for (const size_t index : rule.inputs) {
      if (index == rule.mask) continue;
      const TensorSpec& tensor = spec.inputs[index];
      for (size_t r = 0; r < count; ++r) {
        const RequestInput& input = requests[r]->inputs[index];
        const int64_t padded = input.dims.at[tensor.pad_dim];
        const int64_t rows = requests[r]->part_rows;
        const int64_t elements = Product(input.dims, 0) * rows;
        sum.elements += elements;
        sum.padding += elements / padded * (padded - input.length);
      }
    }
  }
  return sum;
}

Status CheckLengths(const ModelSpec& spec, const std::vector<RunTensor>& outputs, const Request& request) {
  for (size_t o = 0; o < outputs.size(); ++o) {
    const TensorSpec& tensor = spec.outputs[o];
    const Dims& dims = outputs[o].dims;
    if (tensor.follows.empty()) continue;
    bool fits = dims.rank == static_cast<int>(tensor.follows.size()) + 1;
    for (int d = 1; fits && d < dims.rank; ++d) {
      const int rule = tensor.follows[static_cast<size_t>(d - 1)];
      fits = rule == kNoRule || dims.at[d] == RunLength(spec, rule, request);
    }
    if (fits) continue;
    return Status(Code::kRunFailed, "output \"" + tensor.name + "\" has shape " + DimsText(dims) +
                                        " and is not as long as the padded inputs: sluice.padding names "
                                        "outputs that are");
  }
  return Status();
}

void PaddedOutput::Start(const ModelSpec& spec, const TensorSpec& tensor, const RunTensor& whole) {
  spec_ = &spec;
  tensor_ = &tensor;
  dims_ = whole.dims;
  at_ = whole.bytes;
}

void PaddedOutput::Next(const Request& request, Dims* own, OutputRows* part) {
  Dims whole = dims_;
  whole.at[0] = request.part_rows;
  *own = whole;
  int last = 0;
  bool is_together = true;
  for (int d = 1; d < whole.rank; ++d) {
    const int rule = tensor_->follows[static_cast<size_t>(d - 1)];
    if (rule != kNoRule) own->at[d] = LeadOf(*spec_, rule, request).length;
    if (own->at[d] == whole.at[d]) continue;
    last = d;
    // What is cut off lies behind what stays, if nothing is repeated outside of it.
    for (int outer = 0; outer < d; ++outer) is_together = is_together && own->at[outer] == 1;
  }
  ElementWalk walk{tensor_->type, at_};
  part->elements = Product(*own, 0);
  if (is_together) {
    part->bytes = walk.Skip(part->elements);
    part->byte_count = static_cast<size_t>(walk.at - part->bytes);
    walk.Skip(Product(whole, 0) - part->elements);
  } else {
    cut_.Clear();
    CopyWithin(whole, *own, 0, last, &walk, &cut_);
    part->bytes = cut_.data();
    part->byte_count = cut_.size();
  }
  at_ = walk.at;
}

}  // namespace sluice
