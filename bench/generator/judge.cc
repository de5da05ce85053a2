#include "judge.h"

#include <algorithm>

#include "json.h"

namespace sluice::load {

namespace {

// The generator must leave itself room, or its own pace is what was measured.
constexpr double kMostBusy = 0.90;
constexpr double kMostLagShare = 0.10;
constexpr double kLeastAchieved = 0.99;

double Us(uint64_t ns) { return static_cast<double>(ns) / 1000; }

}  // namespace

Rates RatesOf(const Options& options, const Outcome& outcome, int64_t measure_begin_ns) {
  Rates rates;
  rates.window_s = options.duration_s;
  const double until_last_s = static_cast<double>(outcome.last_reply_ns - measure_begin_ns) * 1e-9;
  if (options.max_requests != 0 && until_last_s > 0) rates.window_s = until_last_s;
  rates.achieved_per_s = static_cast<double>(outcome.replies) / std::max(rates.window_s, until_last_s);
  if (options.arrivals != Arrivals::kClosed)
    rates.offered_per_s = static_cast<double>(outcome.scheduled) / rates.window_s;
  return rates;
}

std::vector<std::string> ReasonsAgainst(const Options& options, const Outcome& outcome, const Rates& rates) {
  std::vector<std::string> reasons;
  for (const ThreadCost& cost : outcome.threads) {
    if (cost.BusyFraction() > kMostBusy) {
      reasons.push_back("a generator thread was busy for " + JsonNumber(cost.BusyFraction() * 100) +
                        " % of a core");
    }
  }
  const bool is_open = options.arrivals != Arrivals::kClosed;
  const bool has_deadline = options.deadline_ms > 0;
  // Under a deadline the tail is cut off there, so lateness is held against the deadline.
  const double scale_us = has_deadline ? options.deadline_ms * 1000 : Us(outcome.latency.PercentileNs(99));
  const double lag_us = Us(outcome.send_lag.PercentileNs(99));
  if (is_open && outcome.replies > 0 && lag_us > kMostLagShare * scale_us) {
    reasons.push_back("send lag p99 " + JsonNumber(lag_us) + " us is over 10 % of " +
                      (has_deadline ? "the deadline, " : "latency p99, ") + JsonNumber(scale_us) + " us");
  }
  // A server that is given more than it can do is meant to fall behind where there is a deadline.
  if (is_open && !has_deadline && rates.achieved_per_s < kLeastAchieved * rates.offered_per_s) {
    reasons.push_back("achieved " + JsonNumber(rates.achieved_per_s) + "/s of the " +
                      JsonNumber(rates.offered_per_s) + "/s offered");
  }
  if (outcome.replies == 0) reasons.push_back("no reply came");
  const uint64_t errors = outcome.connect_errors + outcome.broken + outcome.bad_replies + outcome.unanswered;
  if (errors != 0) reasons.push_back(JsonNumber(errors) + " requests or connections failed");
  if (outcome.mismatched != 0)
    reasons.push_back(JsonNumber(outcome.mismatched) + " replies had the wrong body");
  return reasons;
}

}  // namespace sluice::load
