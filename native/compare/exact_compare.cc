#include "compare/exact_compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

template <typename T>
ExactSums Compare(const uint8_t* primary, const uint8_t* shadow, int64_t count) {
  ExactSums sums;
  for (int64_t i = 0; i < count; ++i) {
    T a, b;
    std::memcpy(&a, primary + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    std::memcpy(&b, shadow + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    if (a == b) continue;
    const double distance = std::fabs(static_cast<double>(a) - static_cast<double>(b));
    const double larger = std::max(std::fabs(static_cast<double>(a)), std::fabs(static_cast<double>(b)));
    const double share = larger > 0 ? distance / larger : 0;
    ++sums.apart;
    sums.absolute += distance;
    sums.relative += share;
    sums.max_relative = std::max(sums.max_relative, share);
    if (sums.worst_element < 0 || distance > sums.max_absolute) {
      sums.max_absolute = distance;
      sums.worst_element = i;
    }
  }
  return sums;
}

// The next string, or false.
bool Next(BytesWalk* walk, const uint8_t** text, uint32_t* length) {
  if (walk->size - walk->at < sizeof(*length)) return false;
  std::memcpy(length, walk->bytes + walk->at, sizeof(*length));
  walk->at += sizeof(*length);
  if (walk->size - walk->at < *length) return false;
  *text = walk->bytes + walk->at;
  walk->at += *length;
  return true;
}

}  // namespace

ExactSums CompareIntegers(DataType type, const uint8_t* primary, const uint8_t* shadow, int64_t count) {
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8:
      return Compare<uint8_t>(primary, shadow, count);
    case DataType::kUint16:
      return Compare<uint16_t>(primary, shadow, count);
    case DataType::kUint32:
      return Compare<uint32_t>(primary, shadow, count);
    case DataType::kUint64:
      return Compare<uint64_t>(primary, shadow, count);
    case DataType::kInt8:
      return Compare<int8_t>(primary, shadow, count);
    case DataType::kInt16:
      return Compare<int16_t>(primary, shadow, count);
    case DataType::kInt32:
      return Compare<int32_t>(primary, shadow, count);
    default:
      return Compare<int64_t>(primary, shadow, count);
  }
}

bool CompareStrings(BytesWalk* primary, BytesWalk* shadow, int64_t count, ExactSums* sums) {
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* a = nullptr;
    const uint8_t* b = nullptr;
    uint32_t a_length = 0, b_length = 0;
    if (!Next(primary, &a, &a_length) || !Next(shadow, &b, &b_length)) return false;
    if (a_length == b_length && std::memcmp(a, b, a_length) == 0) continue;
    ++sums->apart;
    if (sums->worst_element < 0) sums->worst_element = i;
  }
  return true;
}

}  // namespace sluice
