#include "compare/rank_compare.h"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

// Indices of the k best, the best first. One pass; few elements ever beat the k-th.
template <typename T>
int64_t FindBest(const T* scores, int64_t count, int64_t k, int64_t* best) {
  int64_t found = 0;
  const auto is_better = [scores](int64_t i, int64_t j) {
    const T other = scores[j] == scores[j] ? scores[j] : -std::numeric_limits<T>::infinity();
    return scores[i] > other;
  };
  for (int64_t i = 0; i < count; ++i) {
    if (found == k && !is_better(i, best[k - 1])) continue;
    int64_t at = found < k ? found++ : k - 1;
    for (; at > 0 && is_better(i, best[at - 1]); --at) best[at] = best[at - 1];
    best[at] = i;
  }
  return found;
}

}  // namespace

template <typename T>
RankAgreement CompareRanks(const T* primary, const T* shadow, int64_t count, int64_t k,
                           const FloatLimit& limit) {
  int64_t of_primary[kMostTopK];
  int64_t of_shadow[kMostTopK];
  const int64_t wanted = std::clamp<int64_t>(k, 1, kMostTopK);
  const int64_t found = FindBest(primary, count, wanted, of_primary);
  FindBest(shadow, count, wanted, of_shadow);

  RankAgreement agreement;
  const int64_t p = of_primary[0];
  const int64_t s = of_shadow[0];
  const auto are_close = [&limit](T a, T b) {
    return ExcessOf(static_cast<double>(a), static_cast<double>(b), limit) <= 1;
  };
  agreement.is_top1_agreed = p == s || (are_close(primary[p], primary[s]) && are_close(shadow[s], shadow[p]));
  int64_t shared = 0;
  for (int64_t i = 0; i < found; ++i) {
    shared += std::find(of_shadow, of_shadow + found, of_primary[i]) != of_shadow + found ? 1 : 0;
  }
  agreement.top_k_shared = static_cast<double>(shared) / static_cast<double>(found);
  return agreement;
}

template RankAgreement CompareRanks(const float*, const float*, int64_t, int64_t, const FloatLimit&);
template RankAgreement CompareRanks(const double*, const double*, int64_t, int64_t, const FloatLimit&);

}  // namespace sluice
