#include "report.h"

#include <cstdio>
#include <vector>

namespace sluice::load {

namespace {

constexpr double kPercents[] = {50, 75, 90, 95, 99, 99.9, 99.99};
// The generator must leave itself room, or its own pace is what was measured.
constexpr double kMostBusy = 0.90;
constexpr double kMostLagShare = 0.10;
constexpr double kLeastAchieved = 0.99;

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string Number(uint64_t value) { return std::to_string(value); }

double Us(uint64_t ns) { return static_cast<double>(ns) / 1000; }

std::string HistogramJson(const Histogram& histogram, bool with_steps) {
  std::string json = "{\"count\":" + Number(histogram.count()) +
                     ",\"meanUs\":" + Number(histogram.MeanNs() / 1000) +
                     ",\"minUs\":" + Number(Us(histogram.MinNs())) +
                     ",\"maxUs\":" + Number(Us(histogram.MaxNs())) + ",\"percentiles\":[";
  for (const double percent : kPercents) {
    if (json.back() != '[') json += ',';
    json += "{\"percent\":" + Number(percent) + ",\"us\":" + Number(Us(histogram.PercentileNs(percent))) +
            ",\"samplesBeyond\":" + Number(histogram.SamplesBeyond(percent)) + "}";
  }
  json += "]";
  if (with_steps) {
    json += ",\"stepsNs\":[";
    for (const auto& [edge, count] : histogram.Steps()) {
      if (json.back() != '[') json += ',';
      json += "[" + Number(edge) + "," + Number(count) + "]";
    }
    json += "]";
  }
  return json + "}";
}

const char* Name(Arrivals arrivals) {
  switch (arrivals) {
    case Arrivals::kClosed:
      return "closed";
    case Arrivals::kConstant:
      return "constant";
    case Arrivals::kPoisson:
      return "poisson";
    case Arrivals::kBursty:
      return "bursty";
    case Arrivals::kTrace:
      return "trace";
  }
  return "";
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

Report MakeReport(const Options& options, const Outcome& outcome, int64_t measure_begin_ns) {
  const bool is_open = options.arrivals != Arrivals::kClosed;
  double window_s = options.duration_s;
  const double until_last_s = static_cast<double>(outcome.last_reply_ns - measure_begin_ns) * 1e-9;
  if (options.max_requests != 0 && until_last_s > 0) window_s = until_last_s;
  const double achieved = static_cast<double>(outcome.replies) / std::max(window_s, until_last_s);
  const double offered = is_open ? static_cast<double>(outcome.scheduled) / window_s : 0;
  const uint64_t errors = outcome.connect_errors + outcome.broken + outcome.bad_replies + outcome.unanswered;

  std::vector<std::string> reasons;
  std::string threads;
  for (const ThreadCost& cost : outcome.threads) {
    if (cost.BusyFraction() > kMostBusy) {
      reasons.push_back("a generator thread was busy for " + Number(cost.BusyFraction() * 100) +
                        " % of a core");
    }
    if (!threads.empty()) threads += ",";
    threads += "{\"wallS\":" + Number(cost.wall_s) + ",\"cpuS\":" + Number(cost.cpu_s) +
               ",\"spinS\":" + Number(cost.spin_s) + ",\"busyFraction\":" + Number(cost.BusyFraction()) + "}";
  }
  const double lag_us = Us(outcome.send_lag.PercentileNs(99));
  const double p99_us = Us(outcome.latency.PercentileNs(99));
  if (is_open && outcome.latency.count() > 0 && lag_us > kMostLagShare * p99_us) {
    reasons.push_back("send lag p99 " + Number(lag_us) + " us is over 10 % of latency p99 " + Number(p99_us) +
                      " us");
  }
  if (is_open && achieved < kLeastAchieved * offered) {
    reasons.push_back("achieved " + Number(achieved) + "/s of the " + Number(offered) + "/s offered");
  }
  if (outcome.replies == 0) reasons.push_back("no reply came");
  if (errors != 0) reasons.push_back(Number(errors) + " requests or connections failed");
  if (outcome.mismatched != 0) reasons.push_back(Number(outcome.mismatched) + " replies had the wrong body");

  std::string json = "{\"mode\":" + Quoted(Name(options.arrivals)) +
                     ",\"protocol\":" + Quoted(options.protocol == Protocol::kHttp ? "http" : "ws") +
                     ",\"connections\":" + Number(uint64_t{options.connections}) +
                     ",\"inFlight\":" + Number(uint64_t{options.in_flight}) +
                     ",\"seed\":" + Number(options.seed) + ",\"windowS\":" + Number(window_s);
  json += ",\"offeredPerS\":" + (is_open ? Number(offered) : "null") +
          ",\"achievedPerS\":" + Number(achieved) + ",\"scheduled\":" + Number(outcome.scheduled) +
          ",\"sent\":" + Number(outcome.sent) + ",\"replies\":" + Number(outcome.replies) +
          ",\"answered\":" + Number(outcome.answered) + ",\"replyBytes\":" + Number(outcome.reply_bytes) +
          ",\"verified\":" + Number(outcome.verified) +
          ",\"waitedForConnection\":" + Number(outcome.waited_for_connection);
  json += ",\"byStatus\":{";
  for (const auto& [status, count] : outcome.by_status) {
    if (json.back() != '{') json += ",";
    json += Quoted(std::to_string(status)) + ":" + Number(count);
  }
  json += "},\"errors\":{\"connect\":" + Number(outcome.connect_errors) +
          ",\"broken\":" + Number(outcome.broken) + ",\"badReplies\":" + Number(outcome.bad_replies) +
          ",\"unanswered\":" + Number(outcome.unanswered) + ",\"mismatched\":" + Number(outcome.mismatched) +
          "}";
  json += ",\"latency\":" + HistogramJson(outcome.latency, options.with_steps) +
          ",\"service\":" + HistogramJson(outcome.service, options.with_steps) +
          ",\"sendLag\":" + HistogramJson(outcome.send_lag, false) +
          ",\"refused\":" + HistogramJson(outcome.refused, options.with_steps);
  json +=
      ",\"threads\":[" + threads + "],\"valid\":" + (reasons.empty() ? "true" : "false") + ",\"reasons\":[";
  for (const std::string& reason : reasons) {
    if (json.back() != '[') json += ",";
    json += Quoted(reason);
  }
  return {json + "]}", reasons.empty()};
}

}  // namespace sluice::load
