#include "run/batch_input.h"

#include <algorithm>
#include <cstring>

#include "run/pad_rows.h"

namespace sluice {

namespace {

constexpr size_t kMostSetAsideBytes = size_t{64} << 20;
// A single large tensor runs from where it lies; below this, copying it costs less than making a value for
// it.
constexpr size_t kLeastDirectBytes = 64 * 1024;

// Where `count` strings in V2 form end that begin at `bytes`.
const uint8_t* SkipStrings(const uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, bytes, sizeof(length));
    bytes += sizeof(length) + length;
  }
  return bytes;
}

// Where the present piece of a request begins. Only the piece before is gone through: from the first row on,
// many pieces would cost their number squared.
const uint8_t* PartBegin(const Request& request, int64_t row_elements, RequestInput* input) {
  if (request.done_rows == 0) {
    input->known_row = 0;
    input->known_at = 0;
  }
  const uint8_t* known = input->bytes + input->known_at;
  const uint8_t* begin = SkipStrings(known, row_elements * (request.done_rows - input->known_row));
  input->known_row = request.done_rows;
  input->known_at = static_cast<size_t>(begin - input->bytes);
  return begin;
}

// The rows of the present piece of a request; answers their elements.
int64_t AppendPart(DataType type, const Request& request, RequestInput* part_of, AlignedBuffer* memory) {
  const RequestInput& input = *part_of;
  const int64_t row_elements = input.elements / request.rows;
  const int64_t elements = row_elements * request.part_rows;
  if (type == DataType::kBytes) {
    const uint8_t* begin = PartBegin(request, row_elements, part_of);
    const uint8_t* end = SkipStrings(begin, elements);
    memory->Append(begin, static_cast<size_t>(end - begin));
    return elements;
  }
  const size_t row_bytes = input.byte_count / static_cast<size_t>(request.rows);
  memory->Append(input.bytes + row_bytes * static_cast<size_t>(request.done_rows),
                 row_bytes * static_cast<size_t>(request.part_rows));
  return elements;
}

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
    const TensorSpec& spec = spec_.inputs[i];
    const RequestInput& first = requests[0]->inputs[i];
    tensor.dims.Clear();
    if (spec_.has_batch_dim()) tensor.dims.Push(rows);
    for (int d = 0; d < first.dims.rank; ++d) tensor.dims.Push(first.dims.at[d]);
    if (count == 1 && requests[0]->is_whole() && first.byte_count >= kLeastDirectBytes &&
        IsAligned(first.bytes) && !IsShort(spec, first)) {
      tensor.bytes = first.bytes;
      tensor.byte_count = first.byte_count;
      tensor.elements = first.elements;
      continue;
    }
    AlignedBuffer& memory = *memory_[i];
    memory.Clear();
    tensor.elements = 0;
    for (size_t r = 0; r < count; ++r) {
      Request& request = *requests[r];
      RequestInput& input = request.inputs[i];
      if (IsShort(spec, input)) {
        tensor.elements += AppendPadded(spec, request, input, &memory);
      } else if (request.is_whole()) {
        memory.Append(input.bytes, input.byte_count);
        tensor.elements += input.elements;
      } else {
        tensor.elements += AppendPart(spec.type, request, &input, &memory);
      }
    }
    tensor.bytes = memory.data();
    tensor.byte_count = memory.size();
  }
  return tensors_;
}

size_t BatchInput::KeptBytes() const {
  size_t bytes = 0;
  for (const auto& memory : memory_) bytes += memory->capacity();
  return bytes;
}

const std::vector<RunTensor>& BatchInput::Zeros(int64_t rows, size_t bucket) {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const TensorSpec& spec = spec_.inputs[i];
    RunTensor& tensor = tensors_[i];
    tensor.dims.Clear();
    if (spec_.has_batch_dim()) tensor.dims.Push(rows);
    for (const int64_t dim : spec.model_dims) tensor.dims.Push(dim < 0 ? 1 : dim);
    if (spec.pad_rule != kNoRule) {
      const std::vector<int64_t>& lengths = spec_.padding[static_cast<size_t>(spec.pad_rule)].lengths;
      tensor.dims.at[(spec_.has_batch_dim() ? 1 : 0) + spec.pad_dim] =
          lengths[std::min(bucket, lengths.size() - 1)];
    }
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
