#include "report.h"

#include "clock.h"
#include "json.h"
#include "judge.h"

namespace sluice::load {

namespace {

constexpr double kPercents[] = {50, 75, 90, 95, 99, 99.9, 99.99};

double Us(uint64_t ns) { return static_cast<double>(ns) / 1000; }

std::string HistogramJson(const Histogram& histogram, bool with_steps) {
  JsonArray percentiles;
  for (const double percent : kPercents) {
    percentiles.Add(JsonObject()
                        .Add("percent", percent)
                        .Add("us", Us(histogram.PercentileNs(percent)))
                        .Add("samplesBeyond", histogram.SamplesBeyond(percent))
                        .Text());
  }
  JsonObject json;
  json.Add("count", histogram.count())
      .Add("meanUs", histogram.MeanNs() / 1000)
      .Add("minUs", Us(histogram.MinNs()))
      .Add("maxUs", Us(histogram.MaxNs()))
      .Add("percentiles", percentiles.Text());
  if (with_steps) {
    JsonArray steps;
    for (const auto& [edge, count] : histogram.Steps())
      steps.Add(JsonArray().Add(JsonNumber(edge)).Add(JsonNumber(count)).Text());
    json.Add("stepsNs", steps.Text());
  }
  return json.Text();
}

std::string StatusJson(const std::map<int, uint64_t>& by_status) {
  JsonObject json;
  for (const auto& [status, count] : by_status) json.Add(std::to_string(status), count);
  return json.Text();
}

std::string TimelineJson(const Timeline& timeline) {
  JsonArray slots;
  for (const TimeSlot& slot : timeline.slots()) {
    slots.Add(JsonObject()
                  .Add("scheduled", slot.scheduled)
                  .Add("answered", slot.latency.count())
                  .Add("good", slot.good)
                  .Add("refused", slot.refused)
                  .Add("p50Us", Us(slot.latency.PercentileNs(50)))
                  .Add("p99Us", Us(slot.latency.PercentileNs(99)))
                  .Add("maxUs", Us(slot.latency.MaxNs()))
                  .Text());
  }
  return JsonObject().Add("widthS", timeline.width_s()).Add("slots", slots.Text()).Text();
}

std::string GroupsJson(const std::vector<std::string>& names, const Outcome& outcome, bool with_steps) {
  JsonObject json;
  for (size_t i = 0; i < outcome.groups.size(); ++i) {
    const GroupOutcome& group = outcome.groups[i];
    json.Add(names[i], JsonObject()
                           .Add("sent", group.sent)
                           .Add("good", group.good)
                           .Add("mismatched", group.mismatched)
                           .Add("byStatus", StatusJson(group.by_status))
                           .Add("latency", HistogramJson(group.latency, with_steps))
                           .Add("refused", HistogramJson(group.refused, false))
                           .Text());
  }
  return json.Text();
}

// Wall-clock times, so that they can be laid beside a server's log.
std::string ExpectedJson(const Outcome& outcome) {
  const int64_t to_unix_ns = ReadClockNs(CLOCK_REALTIME) - NowNs();
  const auto unix_us = [to_unix_ns](int64_t ns) { return static_cast<uint64_t>(ns + to_unix_ns) / 1000; };
  JsonArray expected;
  for (const ExpectedOutcome& one : outcome.expected) {
    JsonObject json;
    json.Add("count", one.count);
    if (one.count > 0)
      json.Add("firstSentUnixUs", unix_us(one.first_sent_ns))
          .Add("lastSentUnixUs", unix_us(one.last_sent_ns));
    expected.Add(json.Text());
  }
  return expected.Text();
}

std::string ThreadsJson(const Outcome& outcome) {
  JsonArray threads;
  for (const ThreadCost& cost : outcome.threads) {
    threads.Add(JsonObject()
                    .Add("wallS", cost.wall_s)
                    .Add("cpuS", cost.cpu_s)
                    .Add("spinS", cost.spin_s)
                    .Add("busyFraction", cost.BusyFraction())
                    .Text());
  }
  return threads.Text();
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

}  // namespace

Report MakeReport(const Options& options, const std::vector<std::string>& group_names, const Outcome& outcome,
                  int64_t measure_begin_ns) {
  const bool is_open = options.arrivals != Arrivals::kClosed;
  const Rates rates = RatesOf(options, outcome, measure_begin_ns);
  const std::vector<std::string> reasons = ReasonsAgainst(options, outcome, rates);
  JsonArray reason_list;
  for (const std::string& reason : reasons) reason_list.Add(JsonQuoted(reason));

  JsonObject json;
  json.Add("mode", JsonQuoted(Name(options.arrivals)))
      .Add("protocol", JsonQuoted(options.protocol == Protocol::kHttp ? "http" : "ws"))
      .Add("connections", uint64_t{options.connections})
      .Add("inFlight", uint64_t{options.in_flight})
      .Add("seed", options.seed)
      .Add("windowS", rates.window_s)
      .Add("offeredPerS", is_open ? JsonNumber(rates.offered_per_s) : "null")
      .Add("achievedPerS", rates.achieved_per_s)
      .Add("goodPerS", static_cast<double>(outcome.good) / rates.window_s)
      .Add("deadlineMs", options.deadline_ms > 0 ? JsonNumber(options.deadline_ms) : "null")
      .Add("scheduled", outcome.scheduled)
      .Add("sent", outcome.sent)
      .Add("replies", outcome.replies)
      .Add("answered", outcome.answered)
      .Add("good", outcome.good)
      .Add("givenUp", outcome.given_up)
      .Add("replyBytes", outcome.reply_bytes)
      .Add("verified", outcome.verified)
      .Add("waitedForConnection", outcome.waited_for_connection)
      .Add("byStatus", StatusJson(outcome.by_status));
  json.Add("errors", JsonObject()
                         .Add("connect", outcome.connect_errors)
                         .Add("broken", outcome.broken)
                         .Add("badReplies", outcome.bad_replies)
                         .Add("unanswered", outcome.unanswered)
                         .Add("mismatched", outcome.mismatched)
                         .Text());
  json.Add("latency", HistogramJson(outcome.latency, options.with_steps))
      .Add("service", HistogramJson(outcome.service, options.with_steps))
      .Add("sendLag", HistogramJson(outcome.send_lag, false))
      .Add("refused", HistogramJson(outcome.refused, options.with_steps))
      .Add("turnedAway", HistogramJson(outcome.turned_away, options.with_steps));
  if (!outcome.groups.empty()) json.Add("byName", GroupsJson(group_names, outcome, options.with_steps));
  if (!outcome.expected.empty()) json.Add("expected", ExpectedJson(outcome));
  if (options.timeline_s > 0) json.Add("timeline", TimelineJson(outcome.timeline));
  json.Add("threads", ThreadsJson(outcome))
      .Add("valid", reasons.empty() ? "true" : "false")
      .Add("reasons", reason_list.Text());
  return {json.Text(), reasons.empty()};
}

}  // namespace sluice::load
