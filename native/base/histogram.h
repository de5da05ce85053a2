// Histogram of durations: log-linear, 8 steps per power of two from 1 us up and steps of 125 ns below, so a
// value is known to 12.5 % or better up to 134 s; whatever is longer shares the last bucket. Any thread may
// add and read at any time without a lock: a reader sees each count whole, and counts that are being added a
// moment later.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

class Histogram {
 public:
  static constexpr int kStepBits = 3;
  static constexpr int64_t kUnitNs = 125;
  static constexpr int kOctaves = 27;  // above the first microsecond
  static constexpr int kBuckets = ((kOctaves + 1) << kStepBits) + 1;

  // Bounds are inclusive above, as Prometheus wants them: bucket i holds (UpperNs(i - 1), UpperNs(i)].
  static constexpr int BucketOf(int64_t ns) {
    if (ns <= kUnitNs) return 0;
    const uint64_t units = static_cast<uint64_t>(ns - 1) / kUnitNs;
    if (units < (2u << kStepBits)) return static_cast<int>(units);
    const int shift = 63 - __builtin_clzll(units) - kStepBits;
    const int bucket = (shift << kStepBits) + static_cast<int>(units >> shift);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }

  // The last bucket has no upper bound: -1.
  static constexpr int64_t UpperNs(int bucket) {
    if (bucket >= kBuckets - 1) return -1;
    if (bucket < (2 << kStepBits)) return (bucket + 1) * kUnitNs;
    const int shift = (bucket >> kStepBits) - 1;
    const int64_t step = (bucket & ((1 << kStepBits) - 1)) + (1 << kStepBits) + 1;
    return (step << shift) * kUnitNs;
  }

  void Add(int64_t ns, uint64_t times = 1) {
    AddCount(ns, times);
    AddSum(ns * static_cast<int64_t>(times));
  }
  // The two halves of Add, for callers that add up a batch's sum first.
  void AddCount(int64_t ns, uint64_t times = 1) {
    counts_[BucketOf(ns)].fetch_add(times, std::memory_order_relaxed);
  }
  void AddSum(int64_t ns) { sum_ns_.fetch_add(ns, std::memory_order_relaxed); }

  uint64_t CountAt(int bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  int64_t SumNs() const { return sum_ns_.load(std::memory_order_relaxed); }
  uint64_t Count() const {
    uint64_t count = 0;
    for (const auto& one : counts_) count += one.load(std::memory_order_relaxed);
    return count;
  }

 private:
  std::atomic<uint64_t> counts_[kBuckets]{};
  std::atomic<int64_t> sum_ns_{0};
};

}  // namespace sluice
