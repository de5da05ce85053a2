#include "schedule.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "random.h"

namespace sluice::load {

namespace {

// Bursts: a quarter of the time at 3.4 times the rate, the rest at 0.2 times; together the rate asked for.
constexpr double kBurstRate = 3.4;
constexpr double kCalmRate = 0.2;
constexpr double kMeanBurstS = 0.05;
constexpr double kMeanCalmS = 0.15;

constexpr double kNsPerS = 1e9;

template <typename Emit>
void EachBurstyArrival(double rate_per_s, double until_s, Random* random, Emit emit) {
  bool is_burst = false;
  double at = 0;
  double phase_end = random->Exponential(kMeanCalmS);
  while (at < until_s) {
    const double gap = random->Exponential(1 / (rate_per_s * (is_burst ? kBurstRate : kCalmRate)));
    if (at + gap < phase_end) {
      at += gap;
      emit(at);
    } else {
      // An exponential gap has no memory, so the next phase may draw a fresh one from its own beginning.
      at = phase_end;
      is_burst = !is_burst;
      phase_end += random->Exponential(is_burst ? kMeanBurstS : kMeanCalmS);
    }
  }
}

// Arrivals from 0 to `until_s` at one rate.
template <typename Emit>
void EachArrival(Arrivals arrivals, double rate_per_s, double until_s, Random* random, Emit emit) {
  if (arrivals == Arrivals::kConstant) {
    for (uint64_t i = 0; static_cast<double>(i) < until_s * rate_per_s; ++i)
      emit(static_cast<double>(i) / rate_per_s);
  } else if (arrivals == Arrivals::kPoisson) {
    for (double at = random->Exponential(1 / rate_per_s); at < until_s;
         at += random->Exponential(1 / rate_per_s))
      emit(at);
  } else {
    EachBurstyArrival(rate_per_s, until_s, random, emit);
  }
}

std::vector<Arrival> ReadTrace(const Options& options) {
  std::ifstream file(options.trace_file);
  if (!file) throw std::runtime_error("cannot read the trace " + options.trace_file);
  std::vector<Arrival> all;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    double us = -1;
    int64_t request = -1;
    const bool is_right = words >> us && us >= 0 && (words >> std::ws).eof();
    if (!is_right && !(us >= 0 && words >> request && (words >> std::ws).eof() && request >= 0 &&
                       request < static_cast<int64_t>(options.requests.size()))) {
      throw std::runtime_error("line " + std::to_string(number) + " of the trace " + options.trace_file +
                               ": expected microseconds and, at most, a request from 0 to " +
                               std::to_string(options.requests.size() - 1) + ", got \"" + line + "\"");
    }
    all.push_back({static_cast<int64_t>(us * 1000), static_cast<int32_t>(request)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Arrival& a, const Arrival& b) { return a.at_ns < b.at_ns; });
  return all;
}

}  // namespace

std::vector<Arrival> MakeSchedule(const Options& options, uint32_t thread) {
  std::vector<Arrival> mine;
  uint64_t index = 0;
  const double until_s = options.warmup_s + options.duration_s;
  const auto emit = [&](double at_s, int32_t request) {
    const uint64_t order = index++;
    if (at_s >= until_s || (options.max_requests != 0 && order >= options.max_requests)) return;
    if (order % options.threads == thread) mine.push_back({static_cast<int64_t>(at_s * kNsPerS), request});
  };
  if (options.arrivals == Arrivals::kClosed) return mine;
  if (options.arrivals == Arrivals::kTrace) {
    for (const Arrival& arrival : ReadTrace(options))
      emit(static_cast<double>(arrival.at_ns) / kNsPerS, arrival.request);
    return mine;
  }
  Random random(options.seed);
  std::vector<Phase> phases = options.phases;
  if (phases.empty()) phases.push_back({options.rate_per_s, until_s});
  double begin_s = 0;
  for (const Phase& phase : phases) {
    EachArrival(options.arrivals, phase.rate_per_s, phase.seconds, &random,
                [&](double at_s) { emit(begin_s + at_s, -1); });
    begin_s += phase.seconds;
  }
  return mine;
}

}  // namespace sluice::load
