#include "run/pad_rows.h"

#include <algorithm>
#include <cstring>

namespace sluice {

namespace {

void Fill(const TensorSpec& tensor, uint8_t* at, size_t bytes) {
  const uint8_t* element = tensor.pad_element.data();
  const size_t element_bytes = DataTypeBytes(tensor.type);
  if (std::all_of(element, element + element_bytes, [&](uint8_t byte) { return byte == element[0]; })) {
    std::memset(at, element[0], bytes);
    return;
  }
  for (size_t done = 0; done < bytes; done += element_bytes) std::memcpy(at + done, element, element_bytes);
}

}  // namespace

int64_t AppendPadded(const TensorSpec& tensor, const Request& request, const RequestInput& input,
                     AlignedBuffer* memory) {
  // The tensor is a list of blocks, each of which goes on along the padded dimension.
  size_t blocks = static_cast<size_t>(request.part_rows);
  for (int d = 0; d < tensor.pad_dim; ++d) blocks *= static_cast<size_t>(input.dims.at[d]);
  size_t step = 1;
  for (int d = tensor.pad_dim + 1; d < input.dims.rank; ++d) step *= static_cast<size_t>(input.dims.at[d]);
  const auto padded = static_cast<size_t>(input.dims.at[tensor.pad_dim]);
  const size_t elements = blocks * step * padded;
  const size_t step_bytes = step * DataTypeBytes(tensor.type);
  const size_t own_bytes = static_cast<size_t>(input.length) * step_bytes;
  const size_t gap_bytes = padded * step_bytes - own_bytes;

  const size_t begin = memory->size();
  memory->Resize(begin + blocks * (own_bytes + gap_bytes));
  uint8_t* to = memory->data() + begin;
  const size_t row_bytes = input.byte_count / static_cast<size_t>(request.rows);
  const uint8_t* from = input.bytes + row_bytes * static_cast<size_t>(request.done_rows);
  for (size_t block = 0; block < blocks; ++block) {
    if (own_bytes > 0) std::memcpy(to, from, own_bytes);
    if (gap_bytes > 0) Fill(tensor, to + own_bytes, gap_bytes);
    from += own_bytes;
    to += own_bytes + gap_bytes;
  }
  return static_cast<int64_t>(elements);
}

}  // namespace sluice
