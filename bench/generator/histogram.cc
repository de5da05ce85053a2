#include "histogram.h"

#include <algorithm>
#include <cmath>

namespace sluice::load {

Histogram::Histogram(int step_bits) : step_bits_(step_bits), counts_(IndexOf(kLargestNs) + 1) {}

uint64_t Histogram::LowerEdgeNs(uint32_t index) const {
  if (index < (2u << step_bits_)) return index;
  const uint32_t shift = (index >> step_bits_) - 1;
  return (uint64_t{index} - (uint64_t{shift} << step_bits_)) << shift;
}

void Histogram::Add(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

uint64_t Histogram::PercentileNs(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_) - 1e-9);
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(std::max(wanted, 1.0)), 1, count_);
  uint64_t seen = 0;
  for (uint32_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < rank) continue;
    const uint64_t middle = (LowerEdgeNs(i) + LowerEdgeNs(i + 1)) / 2;
    return std::clamp(middle, min_ns_, max_ns_);
  }
  return max_ns_;
}

uint64_t Histogram::SamplesBeyond(double percent) const {
  const double within = std::ceil(percent / 100 * static_cast<double>(count_) - 1e-9);
  return count_ - std::min(count_, static_cast<uint64_t>(std::max(within, 0.0)));
}

std::vector<std::pair<uint64_t, uint64_t>> Histogram::Steps() const {
  std::vector<std::pair<uint64_t, uint64_t>> steps;
  for (uint32_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != 0) steps.emplace_back(LowerEdgeNs(i), counts_[i]);
  }
  return steps;
}

}  // namespace sluice::load
