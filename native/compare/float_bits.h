// 16-bit floats as floats, and floats as integers that count representable values. Any thread; pure.
#pragma once

#include <bit>
#include <cstdint>

namespace sluice {

inline float FromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline float FromFp16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  }
  if (magnitude < 0x400u) {  // zero and subnormals: multiples of 2^-24
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
}

// Both zeros are 0, the next larger value is 1, the next smaller -1: the difference of two is their distance.
inline int64_t Ordered(uint16_t bits) {
  const auto magnitude = static_cast<int64_t>(bits & 0x7fffu);
  return (bits & 0x8000u) != 0 ? -magnitude : magnitude;
}
inline int64_t Ordered(uint32_t bits) {
  const auto magnitude = static_cast<int64_t>(bits & 0x7fffffffu);
  return (bits & 0x80000000u) != 0 ? -magnitude : magnitude;
}
inline int64_t Ordered(uint64_t bits) {
  const auto magnitude = static_cast<int64_t>(bits & 0x7fffffffffffffffu);
  return (bits >> 63) != 0 ? -magnitude : magnitude;
}

}  // namespace sluice
