// Log-linear histogram of durations: by default 1024 steps per power of two, so any value keeps three digits
// up to 60 s (longer values count as 60 s). Fewer step bits make it small: 5 keep values within 3 %. Owned by
// one thread while it records; histograms are merged by addition, percentiles never are.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace sluice::load {

class Histogram {
 public:
  explicit Histogram(int step_bits = 10);

  void Record(int64_t ns) {
    const uint64_t value = ns < 0 ? 0 : ns > kLargestNs ? uint64_t{kLargestNs} : static_cast<uint64_t>(ns);
    ++counts_[IndexOf(value)];
    ++count_;
    sum_ns_ += static_cast<double>(value);
    if (value < min_ns_) min_ns_ = value;
    if (value > max_ns_) max_ns_ = value;
  }

  void Add(const Histogram& other);

  uint64_t count() const { return count_; }
  double MeanNs() const { return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_); }
  uint64_t MinNs() const { return count_ == 0 ? 0 : min_ns_; }
  uint64_t MaxNs() const { return max_ns_; }

  // The smallest recorded step that at least `percent` % of the values do not exceed (middle of the step,
  // never above the largest value seen).
  uint64_t PercentileNs(double percent) const;

  // Values above that percentile: what the percentile rests on.
  uint64_t SamplesBeyond(double percent) const;

  // Pairs of [lower edge in ns, count] of the steps in use.
  std::vector<std::pair<uint64_t, uint64_t>> Steps() const;

 private:
  static constexpr int64_t kLargestNs = 60'000'000'000;

  uint32_t IndexOf(uint64_t value) const {
    if (value < (1u << step_bits_)) return static_cast<uint32_t>(value);
    const int shift = 63 - __builtin_clzll(value) - step_bits_;
    return (static_cast<uint32_t>(shift) << step_bits_) + static_cast<uint32_t>(value >> shift);
  }
  uint64_t LowerEdgeNs(uint32_t index) const;

  int step_bits_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  double sum_ns_ = 0;
  uint64_t min_ns_ = UINT64_MAX;
  uint64_t max_ns_ = 0;
};

}  // namespace sluice::load
