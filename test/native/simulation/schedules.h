// Random schedules: each seed is one world with its versions, requests, cancels, slow and hung runs.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::test {

struct ScheduleTotals {
  uint64_t schedules = 0;
  uint64_t requests = 0;
  uint64_t runs = 0;
  uint64_t answered = 0;
  uint64_t refused = 0;
  uint64_t expired = 0;
  uint64_t cancelled = 0;
};

// What was broken under this seed; empty when nothing was.
std::string RunSchedule(uint64_t seed, ScheduleTotals* totals);

}  // namespace sluice::test
