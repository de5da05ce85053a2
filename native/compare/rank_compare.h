// The best scores of two score vectors against each other. Pure; any thread.
#pragma once

#include <cstdint>

#include "compare/float_compare.h"

namespace sluice {

struct RankAgreement {
  bool is_top1_agreed = false;
  double top_k_shared = 0;  // share of the k best that both have, from 0 to 1
};

inline constexpr int64_t kMostTopK = 64;

// `count` > 0; `k` from 1 to kMostTopK. Of equal scores the first counts, NaN is the worst. The best agree,
// too, where each side holds the other's best within `limit` of its own: two sums of another order may swap
// scores that are all but equal.
template <typename T>
RankAgreement CompareRanks(const T* primary, const T* shadow, int64_t count, int64_t k,
                           const FloatLimit& limit);

}  // namespace sluice
