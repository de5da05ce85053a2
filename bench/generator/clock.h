// Time as the generator sees it: nanoseconds of the monotonic clock, and the processor time of the calling
// thread.
#pragma once

#include <time.h>

#include <cstdint>

namespace sluice::load {

inline int64_t ReadClockNs(clockid_t clock) {
  timespec at;
  clock_gettime(clock, &at);
  return int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

inline int64_t NowNs() { return ReadClockNs(CLOCK_MONOTONIC); }

inline int64_t ThreadCpuNs() { return ReadClockNs(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace sluice::load
