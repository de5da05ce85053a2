// BatchInput: the rows of a batch's requests laid one behind the other, as a runner wants them. One per slot,
// one thread at a time; its memory stays where it is while the batch fits what was set aside, so that a
// runner may keep values over it.
#pragma once

#include <memory>
#include <vector>

#include "base/model_spec.h"
#include "memory/aligned_buffer.h"
#include "run/runner.h"
#include "schedule/request.h"

namespace sluice {

class BatchInput {
 public:
  explicit BatchInput(const ModelSpec& spec);

  // All requests have the same inner shapes; where a padding rule made them so, their tensors are filled up.
  // The tensors are valid until the next Gather, and no longer than the requests.
  const std::vector<RunTensor>& Gather(Request* const* requests, size_t count, int64_t rows);
  // Zeros of the given batch, for warm-up: padded dimensions have the `bucket`-th of their rule's lengths,
  // others that vary have 1.
  const std::vector<RunTensor>& Zeros(int64_t rows, size_t bucket);
  // Memory that stays between batches.
  size_t KeptBytes() const;

 private:
  const ModelSpec& spec_;
  std::vector<std::unique_ptr<AlignedBuffer>> memory_;
  std::vector<RunTensor> tensors_;
};

}  // namespace sluice
