// What a shadow has found out so far. Written by its one thread (drops: by whoever dropped), read by anybody
// at any time: each number is whole, a set of them may be a request apart.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/histogram.h"
#include "compare/difference.h"
#include "shadow/shadow_queue.h"

namespace sluice {

// Why a sample that the shadow thread took was not compared.
enum class ShadowSkip : int { kInputShape = 0, kRunFailed, kCount };

// One writer: no read-modify-write is needed.
template <typename T>
class Total {
 public:
  void Add(T amount) { Set(Get() + amount); }
  void Raise(T value) { Set(std::max(Get(), value)); }
  void Lower(T value) { Set(std::min(Get(), value)); }
  void Set(T value) { value_.store(value, std::memory_order_relaxed); }
  T Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{0};
};

// Requests by the size of their largest difference: bucket 0 is exactly none, bucket i holds those up to
// 10^(i - 9), the last one all that is larger or not a number.
struct DifferenceHistogram {
  static constexpr int kBuckets = 14;
  std::array<Total<int64_t>, kBuckets> counts;

  static int BucketOf(double difference);
  // Inclusive; the last is endless.
  static double Upper(int bucket);
  void Add(double difference) { counts[static_cast<size_t>(BucketOf(difference))].Add(1); }
};

struct OutputTotals {
  Total<int64_t> requests, requests_apart, other_shape, rows, rows_apart, elements, elements_apart,
      elements_odd;
  Total<double> sum_absolute, sum_relative, sum_cosine;  // of elements, of elements, of rows
  Total<double> max_absolute, max_relative, max_ulp, least_cosine, worst_excess;
  Total<int64_t> vectors, top1_agreed;
  Total<double> top_k_shared;
  DifferenceHistogram absolute, relative;

  OutputTotals() { least_cosine.Set(1); }
  void Add(const OutputDifference& difference);
};

struct ShadowTotals {
  explicit ShadowTotals(size_t outputs) {
    for (size_t i = 0; i < outputs; ++i) by_output.push_back(std::make_unique<OutputTotals>());
  }

  std::atomic<int64_t> sampled{0};   // requests given to a primary with this shadow beside
  std::atomic<int64_t> answered{0};  // those the primary answered with success
  std::array<std::atomic<int64_t>, static_cast<size_t>(ShadowDrop::kCount)> dropped{};
  std::array<Total<int64_t>, static_cast<size_t>(ShadowSkip::kCount)> skipped;
  Total<int64_t> runs, compared, apart, rows;
  // Of the compared requests: the run of the batch they were in.
  Histogram primary_run, shadow_run;
  std::vector<std::unique_ptr<OutputTotals>> by_output;
};

}  // namespace sluice
