#include "run/batch_input.h"

#include <cstring>

namespace sluice {

namespace {

constexpr size_t kMostSetAsideBytes = size_t{64} << 20;
// A single large tensor runs from where it lies; below this, copying it costs less than making a value for
// it.
constexpr size_t kLeastDirectBytes = 64 * 1024;

bool IsAligned(const void* bytes) { return reinterpret_cast<uintptr_t>(bytes) % kAlignment == 0; }

}  // namespace

BatchInput::BatchInput(const ModelSpec& spec) : spec_(spec), tensors_(spec.inputs.size()) {
  const int64_t most_rows = spec.has_batch_dim() ? spec.max_batch_rows : 1;
  for (const TensorSpec& input : spec.inputs) {
    memory_.push_back(std::make_unique<AlignedBuffer>());
    if (!input.has_fixed_bytes()) continue;
    const size_t bytes = input.row_bytes() * static_cast<size_t>(most_rows);
    if (bytes <= kMostSetAsideBytes) memory_.back()->Reserve(bytes);
  }
}

const std::vector<RunTensor>& BatchInput::Gather(Request* const* requests, size_t count, int64_t rows) {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    RunTensor& tensor = tensors_[i];
    const RequestInput& first = requests[0]->inputs[i];
    tensor.dims.Clear();
    if (spec_.has_batch_dim()) tensor.dims.Push(rows);
    for (int d = 0; d < first.dims.rank; ++d) tensor.dims.Push(first.dims.at[d]);
    if (count == 1 && first.byte_count >= kLeastDirectBytes && IsAligned(first.bytes)) {
      tensor.bytes = first.bytes;
      tensor.byte_count = first.byte_count;
      tensor.elements = first.elements;
      continue;
    }
    AlignedBuffer& memory = *memory_[i];
    memory.Clear();
    tensor.elements = 0;
    for (size_t r = 0; r < count; ++r) {
      const RequestInput& input = requests[r]->inputs[i];
      memory.Append(input.bytes, input.byte_count);
      tensor.elements += input.elements;
    }
    tensor.bytes = memory.data();
    tensor.byte_count = memory.size();
  }
  return tensors_;
}

const std::vector<RunTensor>& BatchInput::Zeros(int64_t rows) {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const TensorSpec& spec = spec_.inputs[i];
    RunTensor& tensor = tensors_[i];
    tensor.dims.Clear();
    if (spec_.has_batch_dim()) tensor.dims.Push(rows);
    for (const int64_t dim : spec.model_dims) tensor.dims.Push(dim < 0 ? 1 : dim);
    if (!ElementCount(tensor.dims, &tensor.elements)) tensor.elements = 0;
    // An empty string in V2 form is a length of zero: four zero bytes.
    const size_t element_bytes = spec.type == DataType::kBytes ? sizeof(uint32_t) : DataTypeBytes(spec.type);
    AlignedBuffer& memory = *memory_[i];
    memory.Clear();
    memory.Resize(static_cast<size_t>(tensor.elements) * element_bytes);
    if (memory.size() > 0) std::memset(memory.data(), 0, memory.size());
    tensor.bytes = memory.data();
    tensor.byte_count = memory.size();
  }
  return tensors_;
}

}  // namespace sluice
