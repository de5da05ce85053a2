// The run in slots of time: what was meant to be sent in each, and what came of it. Owned by one thread while
// it records, merged by addition.
#pragma once

#include <cstdint>
#include <vector>

#include "histogram.h"

namespace sluice::load {

struct TimeSlot {
  // Coarse, because there may be hundreds.
  static constexpr int kStepBits = 5;

  uint64_t scheduled = 0;
  uint64_t good = 0;
  uint64_t refused = 0;
  Histogram latency{kStepBits};
};

class Timeline {
 public:
  Timeline() = default;
  Timeline(double width_s, double duration_s);

  // Null where there is no timeline, or outside of it.
  TimeSlot* At(int64_t ns_from_begin);
  void Add(const Timeline& other);

  double width_s() const { return static_cast<double>(width_ns_) * 1e-9; }
  const std::vector<TimeSlot>& slots() const { return slots_; }

 private:
  int64_t width_ns_ = 0;
  std::vector<TimeSlot> slots_;
};

}  // namespace sluice::load
