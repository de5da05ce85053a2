// Two rows of floats against each other. Pure; any thread.
#pragma once

#include <cstdint>

namespace sluice {

// Sums over the elements of a row; the caller makes means of them.
struct FloatSums {
  double absolute = 0;
  double relative = 0;
  double max_absolute = 0;
  double max_relative = 0;
  double worst_excess = 0;
  double dot = 0;  // over elements that are finite on both sides
  double primary_square = 0;
  double shadow_square = 0;
  int64_t apart = 0;
  int64_t odd = 0;

  // 1 for two rows of zeros, 0 when only one is.
  double Cosine() const;
};

struct FloatLimit {
  double absolute = 0;
  double relative = 0;
};

// Adds `count` elements to `sums`. T is float or double.
template <typename T>
void AddFloats(const T* primary, const T* shadow, int64_t count, const FloatLimit& limit, FloatSums* sums);

// The largest distance in representable values over elements that are not NaN. Bits is uint16_t, uint32_t or
// uint64_t; `exponent` is the bit pattern of infinity.
template <typename Bits>
double MaxUlp(const Bits* primary, const Bits* shadow, int64_t count, Bits exponent);

// Distance of one pair over what the limit allows; endless where one of them is odd.
double ExcessOf(double primary, double shadow, const FloatLimit& limit);

}  // namespace sluice
