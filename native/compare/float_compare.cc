#include "compare/float_compare.h"

#include <algorithm>
#include <cmath>

#include "compare/difference.h"
#include "compare/float_bits.h"

namespace sluice {

namespace {

// Sums are kept per lane: without a chain from element to element the compiler may take several at once.
constexpr int64_t kLanes = 8;

struct Lanes {
  double absolute[kLanes] = {};
  double relative[kLanes] = {};
  double max_absolute[kLanes] = {};
  double max_relative[kLanes] = {};
  double worst_excess[kLanes] = {};
  double dot[kLanes] = {};
  double primary_square[kLanes] = {};
  double shadow_square[kLanes] = {};
  double apart[kLanes] = {};
  double odd[kLanes] = {};

  void Add(int64_t lane, double p, double s, const FloatLimit& limit) {
    const bool is_finite = (p - p == 0) & (s - s == 0);
    const bool is_same = (p == s) | ((p != p) & (s != s));
    const double a = is_finite ? p : 0;
    const double b = is_finite ? s : 0;
    const double distance = std::fabs(a - b);
    const double larger = std::max(std::fabs(a), std::fabs(b));
    const double share = distance > 0 ? distance / larger : 0;
    const double allowed = limit.absolute + limit.relative * std::fabs(a);
    const bool is_odd = !is_finite & !is_same;
    const double excess = is_odd ? kEndlessExcess : (distance > 0 ? distance / allowed : 0);
    absolute[lane] += distance;
    relative[lane] += share;
    max_absolute[lane] = std::max(max_absolute[lane], distance);
    max_relative[lane] = std::max(max_relative[lane], share);
    worst_excess[lane] = std::max(worst_excess[lane], excess);
    dot[lane] += a * b;
    primary_square[lane] += a * a;
    shadow_square[lane] += b * b;
    apart[lane] += excess > 1 ? 1 : 0;
    odd[lane] += is_odd ? 1 : 0;
  }
};

}  // namespace

double FloatSums::Cosine() const {
  if (primary_square == 0 && shadow_square == 0) return 1;
  if (primary_square == 0 || shadow_square == 0) return 0;
  // Two roots, because the product of the squares may leave the range.
  return std::clamp(dot / std::sqrt(primary_square) / std::sqrt(shadow_square), -1.0, 1.0);
}

template <typename T>
void AddFloats(const T* primary, const T* shadow, int64_t count, const FloatLimit& limit, FloatSums* sums) {
  Lanes lanes;
  int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes.Add(lane, static_cast<double>(primary[at + lane]), static_cast<double>(shadow[at + lane]), limit);
    }
  }
  for (int64_t lane = 0; at + lane < count; ++lane) {
    lanes.Add(lane, static_cast<double>(primary[at + lane]), static_cast<double>(shadow[at + lane]), limit);
  }
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    sums->absolute += lanes.absolute[lane];
    sums->relative += lanes.relative[lane];
    sums->max_absolute = std::max(sums->max_absolute, lanes.max_absolute[lane]);
    sums->max_relative = std::max(sums->max_relative, lanes.max_relative[lane]);
    sums->worst_excess = std::max(sums->worst_excess, lanes.worst_excess[lane]);
    sums->dot += lanes.dot[lane];
    sums->primary_square += lanes.primary_square[lane];
    sums->shadow_square += lanes.shadow_square[lane];
    sums->apart += static_cast<int64_t>(lanes.apart[lane]);
    sums->odd += static_cast<int64_t>(lanes.odd[lane]);
  }
}

template <typename Bits>
double MaxUlp(const Bits* primary, const Bits* shadow, int64_t count, Bits exponent) {
  const int64_t infinity = Ordered(exponent);
  uint64_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t a = Ordered(primary[i]);
    const int64_t b = Ordered(shadow[i]);
    const bool has_nan = (a > infinity) | (a < -infinity) | (b > infinity) | (b < -infinity);
    // Unsigned: the distance of two doubles may need all 64 bits.
    const uint64_t distance = a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b)
                                    : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
    most = std::max(most, has_nan ? 0 : distance);
  }
  return static_cast<double>(most);
}

double ExcessOf(double primary, double shadow, const FloatLimit& limit) {
  Lanes lanes;
  lanes.Add(0, primary, shadow, limit);
  return lanes.worst_excess[0];
}

template void AddFloats(const float*, const float*, int64_t, const FloatLimit&, FloatSums*);
template void AddFloats(const double*, const double*, int64_t, const FloatLimit&, FloatSums*);
template double MaxUlp(const uint16_t*, const uint16_t*, int64_t, uint16_t);
template double MaxUlp(const uint32_t*, const uint32_t*, int64_t, uint32_t);
template double MaxUlp(const uint64_t*, const uint64_t*, int64_t, uint64_t);

}  // namespace sluice
