// What one sender thread counted; merged by addition when all threads are done.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "histogram.h"
#include "timeline.h"

namespace sluice::load {

struct ThreadCost {
  double wall_s = 0;
  double cpu_s = 0;
  // Polling for the next planned send while nothing was there to do; part of cpu_s.
  double spin_s = 0;
  double BusyFraction() const { return wall_s > 0 ? std::max(0.0, cpu_s - spin_s) / wall_s : 0; }
};

// The requests of one name.
struct GroupOutcome {
  Histogram latency;
  Histogram refused;
  std::map<int, uint64_t> by_status;
  uint64_t sent = 0;
  uint64_t good = 0;
  uint64_t mismatched = 0;

  void Add(const GroupOutcome& other) {
    latency.Add(other.latency);
    refused.Add(other.refused);
    for (const auto& [status, count] : other.by_status) by_status[status] += count;
    sent += other.sent;
    good += other.good;
    mismatched += other.mismatched;
  }
};

// The replies that were one of a request's expected bodies, by its place among them.
struct ExpectedOutcome {
  uint64_t count = 0;
  int64_t first_sent_ns = INT64_MAX;
  int64_t last_sent_ns = INT64_MIN;

  void Count(int64_t sent_ns) { Add({1, sent_ns, sent_ns}); }
  void Add(const ExpectedOutcome& other) {
    count += other.count;
    first_sent_ns = std::min(first_sent_ns, other.first_sent_ns);
    last_sent_ns = std::max(last_sent_ns, other.last_sent_ns);
  }
};

struct Outcome {
  // From the intended send time (open loop) or the send (closed loop) to the reply; replies with status 2xx
  // only.
  Histogram latency;
  Histogram service;
  // How late the generator sent although a connection was free.
  Histogram send_lag;
  // Latency of replies with any other status.
  Histogram refused;
  // From the send to a 429 or 503: how fast a server says no.
  Histogram turned_away;
  std::map<int, uint64_t> by_status;
  uint64_t sent = 0;
  uint64_t replies = 0;
  // Replies at any time, the warm-up's too: what the server's processor time was spent on.
  uint64_t answered = 0;
  uint64_t verified = 0;
  uint64_t waited_for_connection = 0;
  uint64_t reply_bytes = 0;
  uint64_t mismatched = 0;
  uint64_t connect_errors = 0;
  uint64_t broken = 0;
  uint64_t bad_replies = 0;
  uint64_t unanswered = 0;
  uint64_t scheduled = 0;
  // Answers with status 2xx within the deadline, where there is one.
  uint64_t good = 0;
  // Never sent, because no connection was free before the deadline.
  uint64_t given_up = 0;
  Timeline timeline;
  // Empty where all requests have one name.
  std::vector<GroupOutcome> groups;
  std::vector<ExpectedOutcome> expected;
  // Intended and real send times.
  std::vector<std::pair<int64_t, int64_t>> sends;
  int64_t last_reply_ns = 0;
  std::vector<ThreadCost> threads;

  void Add(const Outcome& other) {
    latency.Add(other.latency);
    service.Add(other.service);
    send_lag.Add(other.send_lag);
    refused.Add(other.refused);
    turned_away.Add(other.turned_away);
    for (const auto& [status, count] : other.by_status) by_status[status] += count;
    sent += other.sent;
    replies += other.replies;
    answered += other.answered;
    verified += other.verified;
    waited_for_connection += other.waited_for_connection;
    reply_bytes += other.reply_bytes;
    mismatched += other.mismatched;
    connect_errors += other.connect_errors;
    broken += other.broken;
    bad_replies += other.bad_replies;
    unanswered += other.unanswered;
    scheduled += other.scheduled;
    good += other.good;
    given_up += other.given_up;
    timeline.Add(other.timeline);
    groups.resize(std::max(groups.size(), other.groups.size()));
    for (size_t i = 0; i < other.groups.size(); ++i) groups[i].Add(other.groups[i]);
    expected.resize(std::max(expected.size(), other.expected.size()));
    for (size_t i = 0; i < other.expected.size(); ++i) expected[i].Add(other.expected[i]);
    sends.insert(sends.end(), other.sends.begin(), other.sends.end());
    last_reply_ns = std::max(last_reply_ns, other.last_reply_ns);
    threads.insert(threads.end(), other.threads.begin(), other.threads.end());
  }
};

}  // namespace sluice::load
