// Why a batch was let go when it was. The order is that of RELEASES in src/core/version-stats.ts, compared
// when the addon is loaded.
#pragma once

#include <cstdint>

namespace sluice {

enum class Release : uint8_t {
  kFull,        // the rows reached the limit
  kPreferred,   // a preferred size was reached
  kDelayOver,   // the oldest request had waited for company long enough
  kIdleWorker,  // a worker was free and no delay is configured
  kTickEnd,     // inline: the event loop's turn was over
};
inline constexpr const char* kReleaseNames[] = {"full", "preferred", "delay_over", "idle_worker", "tick_end"};
inline constexpr int kReleaseCount = sizeof(kReleaseNames) / sizeof(kReleaseNames[0]);

}  // namespace sluice
