#include "shadow/shadow_totals.h"

#include <limits>

namespace sluice {

namespace {
// Written out: a power computed at run time may be a step beside the decimal number.
constexpr double kUppers[] = {0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
}  // namespace

int DifferenceHistogram::BucketOf(double difference) {
  for (int i = 0; i < kBuckets - 1; ++i) {
    if (difference <= kUppers[i]) return i;
  }
  return kBuckets - 1;
}

double DifferenceHistogram::Upper(int bucket) {
  return bucket < kBuckets - 1 ? kUppers[bucket] : std::numeric_limits<double>::infinity();
}

void OutputTotals::Add(const OutputDifference& difference) {
  requests.Add(1);
  rows.Add(difference.rows);
  rows_apart.Add(difference.rows_apart);
  if (difference.is_apart()) requests_apart.Add(1);
  worst_excess.Raise(difference.worst_excess);
  if (difference.is_other_shape) {
    other_shape.Add(1);
    return;
  }
  const auto element_count = static_cast<double>(difference.elements);
  elements.Add(difference.elements);
  elements_apart.Add(difference.elements_apart);
  elements_odd.Add(difference.elements_odd);
  sum_absolute.Add(difference.mean_absolute * element_count);
  sum_relative.Add(difference.mean_relative * element_count);
  sum_cosine.Add(difference.mean_cosine * static_cast<double>(difference.rows));
  max_absolute.Raise(difference.max_absolute);
  max_relative.Raise(difference.max_relative);
  max_ulp.Raise(difference.max_ulp);
  least_cosine.Lower(difference.least_cosine);
  vectors.Add(difference.vectors);
  top1_agreed.Add(difference.top1_agreed);
  top_k_shared.Add(difference.top_k_shared);
  absolute.Add(difference.elements_odd > 0 ? kEndlessExcess : difference.max_absolute);
  relative.Add(difference.elements_odd > 0 ? kEndlessExcess : difference.max_relative);
}

}  // namespace sluice
