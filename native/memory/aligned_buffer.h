// AlignedBuffer: growable bytes, 64-byte aligned, with room for a SIMD reader to run past the end. Owned by
// one thread at a time; frees itself. Growing moves the bytes, so callers keep offsets until filling is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sluice {

inline constexpr size_t kAlignment = 64;
inline constexpr size_t kTailPadding = 64;

inline size_t AlignUp(size_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer();
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  void Clear() { size_ = 0; }
  // Makes room for `capacity` bytes in all; throws std::bad_alloc.
  void Reserve(size_t capacity);
  // Sets the size, keeping what was there; new bytes are undefined.
  void Resize(size_t size) {
    if (size > capacity_) Grow(size);
    size_ = size;
  }
  void Append(const void* bytes, size_t count);
  // Exchanges memory; pointers into it stay good.
  void Swap(AlignedBuffer* other) {
    std::swap(data_, other->data_);
    std::swap(size_, other->size_);
    std::swap(capacity_, other->capacity_);
  }
  // Gives memory back when more than `keep_bytes` were reserved.
  void Trim(size_t keep_bytes);

 private:
  void Grow(size_t least);

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace sluice
