#include "memory/aligned_buffer.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice {

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

void AlignedBuffer::Reserve(size_t capacity) {
  if (capacity <= capacity_) return;
  const size_t rounded = AlignUp(capacity);
  void* fresh = rounded < capacity ? nullptr : std::aligned_alloc(kAlignment, rounded + kTailPadding);
  if (fresh == nullptr) throw std::bad_alloc();
  if (size_ > 0) std::memcpy(fresh, data_, size_);
  std::free(data_);
  data_ = static_cast<uint8_t*>(fresh);
  capacity_ = rounded;
}

void AlignedBuffer::Grow(size_t least) {
  const size_t doubled = capacity_ * 2;
  Reserve(least > doubled ? least : doubled);
}

void AlignedBuffer::Append(const void* bytes, size_t count) {
  if (count == 0) return;
  const size_t start = size_;
  Resize(start + count);
  std::memcpy(data_ + start, bytes, count);
}

void AlignedBuffer::Trim(size_t keep_bytes) {
  if (capacity_ <= keep_bytes) return;
  std::free(data_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace sluice
