#include "schedule.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "random.h"

namespace sluice::load {

namespace {

// Bursts: a quarter of the time at 3.4 times the rate, the rest at 0.2 times; together the rate asked for.
constexpr double kBurstRate = 3.4;
constexpr double kCalmRate = 0.2;
constexpr double kMeanBurstS = 0.05;
constexpr double kMeanCalmS = 0.15;

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

std::vector<int64_t> ReadTrace(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read the trace " + path);
  std::vector<int64_t> all;
  for (double us = 0; file >> us;) all.push_back(static_cast<int64_t>(us * 1000));
  if (!file.eof()) throw std::runtime_error("expected one number a line in the trace " + path);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

std::vector<int64_t> MakeSchedule(const Options& options, uint32_t thread) {
  std::vector<int64_t> mine;
  uint64_t index = 0;
  const double until_s = options.warmup_s + options.duration_s;
  const auto emit = [&](double at_s) {
    const uint64_t order = index++;
    if (at_s >= until_s || (options.max_requests != 0 && order >= options.max_requests)) return;
    if (order % options.threads == thread) mine.push_back(static_cast<int64_t>(at_s * 1e9));
  };
  Random random(options.seed);
  switch (options.arrivals) {
    case Arrivals::kClosed:
      break;
    case Arrivals::kConstant:
      for (uint64_t i = 0; static_cast<double>(i) < until_s * options.rate_per_s; ++i) {
        emit(static_cast<double>(i) / options.rate_per_s);
      }
      break;
    case Arrivals::kPoisson:
      for (double at = random.Exponential(1 / options.rate_per_s); at < until_s;
           at += random.Exponential(1 / options.rate_per_s)) {
        emit(at);
      }
      break;
    case Arrivals::kBursty:
      EachBurstyArrival(options.rate_per_s, until_s, &random, emit);
      break;
    case Arrivals::kTrace:
      for (const int64_t ns : ReadTrace(options.trace_file)) emit(static_cast<double>(ns) * 1e-9);
      break;
  }
  return mine;
}

}  // namespace sluice::load
