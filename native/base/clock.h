// Monotonic time. Any thread. Code whose behaviour depends on time takes it as an argument; only the
// outermost callers read it here.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace sluice {

inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The instant at which NowNs is `ns`, to wait for.
inline std::chrono::steady_clock::time_point Instant(int64_t ns) {
  return std::chrono::steady_clock::time_point{std::chrono::nanoseconds(ns)};
}

// Processor time of the calling thread: stands still while others have the core.
inline int64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

using ReadClock = int64_t (*)();

}  // namespace sluice
