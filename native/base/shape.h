// Dims: a shape of fixed capacity without heap memory, and size arithmetic that cannot overflow silently. Any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice {

inline constexpr int kMaxRank = 16;

struct Dims {
  int rank = 0;
  int64_t at[kMaxRank];

  void Clear() { rank = 0; }
  // False when the rank would pass kMaxRank.
  bool Push(int64_t dim) {
    if (rank == kMaxRank) return false;
    at[rank++] = dim;
    return true;
  }
  bool operator==(const Dims& other) const {
    if (rank != other.rank) return false;
    for (int i = 0; i < rank; ++i) {
      if (at[i] != other.at[i]) return false;
    }
    return true;
  }
};

// False on overflow of int64.
inline bool CheckedMultiply(int64_t a, int64_t b, int64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

// Number of elements; false on overflow. Every dimension must be >= 0.
inline bool ElementCount(const Dims& dims, int64_t* elements) {
  // A zero anywhere makes the count zero, even where the other factors alone would overflow.
  for (int i = 0; i < dims.rank; ++i) {
    if (dims.at[i] == 0) {
      *elements = 0;
      return true;
    }
  }
  int64_t product = 1;
  for (int i = 0; i < dims.rank; ++i) {
    if (!CheckedMultiply(product, dims.at[i], &product)) return false;
  }
  *elements = product;
  return true;
}

inline std::string DimsText(const int64_t* dims, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) {
    if (i > 0) text += ",";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}
inline std::string DimsText(const Dims& dims) { return DimsText(dims.at, dims.rank); }

}  // namespace sluice
