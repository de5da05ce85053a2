// The room behind a buffer's bytes is out of bounds while a Fence stands: the buffer keeps padding there,
// which would hide a read beyond the end from the sanitizer. Without the sanitizer it does nothing.
#pragma once

#include <sanitizer/asan_interface.h>

#include "memory/aligned_buffer.h"

namespace sluice::test {

class Fence {
 public:
  explicit Fence(AlignedBuffer* buffer)
      : begin_(buffer->data() + buffer->size()), size_(buffer->capacity() + kTailPadding - buffer->size()) {
    ASAN_POISON_MEMORY_REGION(begin_, size_);
  }
  ~Fence() { ASAN_UNPOISON_MEMORY_REGION(begin_, size_); }
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

 private:
  uint8_t* begin_;
  size_t size_;
};

}  // namespace sluice::test
