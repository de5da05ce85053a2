#include "timeline.h"

#include <cmath>

namespace sluice::load {

Timeline::Timeline(double width_s, double duration_s)
    : width_ns_(static_cast<int64_t>(width_s * 1e9)),
      slots_(width_ns_ == 0 ? 0 : static_cast<size_t>(std::ceil(duration_s / width_s - 1e-9))) {}

TimeSlot* Timeline::At(int64_t ns_from_begin) {
  if (slots_.empty() || ns_from_begin < 0) return nullptr;
  const auto index = static_cast<size_t>(ns_from_begin / width_ns_);
  return index < slots_.size() ? &slots_[index] : nullptr;
}

void Timeline::Add(const Timeline& other) {
  if (slots_.empty())
    *this = Timeline(other.width_s(), other.width_s() * static_cast<double>(other.slots_.size()));
  for (size_t i = 0; i < other.slots_.size(); ++i) {
    slots_[i].scheduled += other.slots_[i].scheduled;
    slots_[i].good += other.slots_[i].good;
    slots_[i].refused += other.slots_[i].refused;
    slots_[i].latency.Add(other.slots_[i].latency);
  }
}

}  // namespace sluice::load
