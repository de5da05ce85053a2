// sluice_simulation SCHEDULES SEED [SECONDS]: runs schedules SEED, SEED + 1, ... and stops at the first that
// breaks a promise, naming the seed that replays it; or when the time is over.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "simulation/schedules.h"

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "expected: sluice_simulation SCHEDULES SEED [SECONDS]\n");
    return 2;
  }
  const uint64_t schedules = std::strtoull(words[1], nullptr, 10);
  const uint64_t first_seed = std::strtoull(words[2], nullptr, 10);
  const double seconds = count > 3 ? std::atof(words[3]) : 1e9;
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  sluice::test::ScheduleTotals totals;
  for (uint64_t i = 0; i < schedules && (i % 256 != 0 || passed() < seconds); ++i) {
    const std::string failure = sluice::test::RunSchedule(first_seed + i, &totals);
    if (failure.empty()) continue;
    std::printf("seed %" PRIu64 " breaks a promise: %s\n", first_seed + i, failure.c_str());
    return 1;
  }
  std::printf("%" PRIu64 " schedules from seed %" PRIu64 " in %.1f s: %" PRIu64 " requests, %" PRIu64
              " runs, %" PRIu64 " answered, %" PRIu64 " refused, %" PRIu64 " expired, %" PRIu64
              " cancelled, no promise broken\n",
              totals.schedules, first_seed, passed(), totals.requests, totals.runs, totals.answered,
              totals.refused, totals.expired, totals.cancelled);
  return 0;
}
