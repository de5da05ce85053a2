// sluice-micro [--times N] [--json] [PART OF A NAME]: nanoseconds of each case, the fastest and the middle of
// several repeats. With --times each runs exactly N times once: for callgrind and perf.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "micro.h"

namespace {

constexpr int kRepeats = 9;
constexpr double kRepeatNs = 50e6;

double NowNs() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
}

double TimeNs(const sluice::micro::Case& one, int64_t times) {
  const double begin = NowNs();
  one.run(times);
  return NowNs() - begin;
}

// Enough times for one repeat to last.
int64_t Calibrate(const sluice::micro::Case& one) {
  int64_t times = 1;
  for (;;) {
    const double ns = TimeNs(one, times);
    if (ns >= kRepeatNs / 4)
      return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(times) * kRepeatNs / ns));
    times *= 4;
  }
}

}  // namespace

int main(int count, char** words) {
  int64_t fixed_times = 0;
  bool is_json = false;
  const char* part = "";
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--json") == 0) {
      is_json = true;
    } else if (std::strcmp(words[i], "--times") == 0 && i + 1 < count) {
      fixed_times = std::atoll(words[++i]);
    } else {
      part = words[i];
    }
  }
  std::string json;
  for (const auto& one : sluice::micro::Cases()) {
    if (std::strstr(one.name, part) == nullptr) continue;
    if (fixed_times > 0) {
      one.run(fixed_times);
      continue;
    }
    const int64_t times = Calibrate(one);
    std::vector<double> ns;
    for (int i = 0; i < kRepeats; ++i) ns.push_back(TimeNs(one, times) / static_cast<double>(times));
    std::sort(ns.begin(), ns.end());
    if (!is_json) std::printf("%-34s %10.1f ns  (middle %.1f)\n", one.name, ns.front(), ns[kRepeats / 2]);
    char text[160];
    std::snprintf(text, sizeof text, "%s{\"name\":\"%s\",\"fastestNs\":%.1f,\"middleNs\":%.1f}",
                  json.empty() ? "" : ",", one.name, ns.front(), ns[kRepeats / 2]);
    json += text;
  }
  if (is_json) std::printf("[%s]\n", json.c_str());
  return 0;
}
