// Monotonic time. Any thread. Code whose behaviour depends on time takes it as an argument; only the
// outermost callers read it here.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace sluice
