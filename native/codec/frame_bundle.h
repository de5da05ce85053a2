// A message that holds several frames, each behind a record of 16 bytes: its length, the bundle's identifier,
// zeros. Every record begins at a multiple of 16, so that a frame lies as it does in a message of its own.
// docs/ws-protocol.md describes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/status.h"

namespace sluice {

inline constexpr size_t kRecordBytes = 16;

struct BundledFrame {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

inline bool IsBundle(const uint8_t* message, size_t size) {
  return size >= kRecordBytes && std::memcmp(message + sizeof(uint32_t), "SLUB", 4) == 0;
}

// The frame whose record lies at `*at`, which moves on to the next record; the frames are done once it is not
// below `size`. Says nothing of what is in the frame.
Status NextInBundle(const uint8_t* message, size_t size, size_t* at, BundledFrame* frame);

// Writes the record of a frame of that size.
inline void WriteRecord(uint8_t* at, uint32_t frame_bytes) {
  std::memcpy(at, &frame_bytes, sizeof(frame_bytes));
  std::memcpy(at + sizeof(frame_bytes), "SLUB\0\0\0\0\0\0\0\0", 12);
}

// Where the next record begins behind something that ends at `end`.
inline size_t NextRecordAt(size_t end) { return (end + kRecordBytes - 1) & ~(kRecordBytes - 1); }

}  // namespace sluice
