#include "engine/version_stats.h"

#include <algorithm>
#include <new>

namespace sluice {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Gauges fall as well as rise: one step of theirs is more than counters make up for by growing.
constexpr uint64_t kGaugeStep = 0x9e3779b97f4a7c15;

void Count(std::atomic<uint64_t>* counter, uint64_t more) {
  if (more > 0) counter->fetch_add(more, kRelaxed);
}

Histogram& At(ProtocolStats* stats, Stage stage) { return stats->stages[static_cast<size_t>(stage)]; }

int64_t FirstByteNs(const Request& request) {
  return request.opened_ns != 0 ? request.opened_ns : request.submitted_ns;
}

Outcome OutcomeOf(Code code) {
  switch (code) {
    case Code::kOk:
      return Outcome::kOk;
    case Code::kCancelled:
      return Outcome::kCancelled;
    case Code::kDeadlinePassed:
      return Outcome::kExpired;
    case Code::kRunFailed:
    case Code::kInternal:
      return Outcome::kFailed;
    default:
      return Outcome::kRefused;
  }
}

}  // namespace

VersionStats::~VersionStats() {
  for (auto& protocol : protocols_) delete protocol.load();
  delete[] batch_sizes_.load();
}

ProtocolStats* VersionStats::Of(WireForm wire) {
  std::atomic<ProtocolStats*>& place = protocols_[static_cast<size_t>(wire)];
  ProtocolStats* stats = place.load(std::memory_order_acquire);
  if (stats != nullptr) return stats;
  std::unique_ptr<ProtocolStats> made(new (std::nothrow) ProtocolStats);
  // Without memory the counting stops, not the serving.
  static ProtocolStats nowhere;
  if (made == nullptr) return &nowhere;
  if (place.compare_exchange_strong(stats, made.get(), std::memory_order_acq_rel)) return made.release();
  return stats;
}

uint64_t VersionStats::Mark() const {
  uint64_t sum = 0;
  const auto add = [&sum](const Histogram& histogram) {
    sum += histogram.Count() + static_cast<uint64_t>(histogram.SumNs());
  };
  for (const auto& place : protocols_) {
    const ProtocolStats* stats = place.load(std::memory_order_acquire);
    if (stats == nullptr) continue;
    for (const Histogram& stage : stats->stages) add(stage);
    add(stats->ok_total);
    add(stats->failed_total);
    for (const auto& outcome : stats->outcomes) sum += outcome.load(kRelaxed);
    sum += stats->request_bytes.load(kRelaxed) + stats->reply_bytes.load(kRelaxed);
  }
  for (const auto& count : refused_) sum += count.load(kRelaxed);
  for (const auto& count : released_) sum += count.load(kRelaxed);
  VisitBatchSizes([&sum](int64_t, const BatchSizeStats& size) {
    sum += size.runs.load(kRelaxed);
    for (const auto* ns : {&size.gather_ns, &size.run_ns, &size.encode_ns})
      sum += static_cast<uint64_t>(ns->load(kRelaxed));
  });
  sum += ok_rows() + failed_runs() + padded_elements() + padding_elements();
  return sum + static_cast<uint64_t>(last_ok_ns()) + kGaugeStep * static_cast<uint64_t>(waiting());
}

// May throw: a run that has no memory for this fails as a whole.
BatchSizeStats* VersionStats::OfSize(int64_t rows) {
  if (rows > kMostDirectRows) {
    std::lock_guard<std::mutex> lock(mutex_);
    return &large_batches_[rows];
  }
  BatchSizeStats* sizes = batch_sizes_.load(std::memory_order_acquire);
  if (sizes == nullptr) {
    auto made = std::make_unique<BatchSizeStats[]>(kMostDirectRows + 1);
    if (batch_sizes_.compare_exchange_strong(sizes, made.get(), std::memory_order_acq_rel))
      sizes = made.release();
  }
  return &sizes[rows];
}

void VersionStats::Refused(WireForm wire, Code code) {
  Of(wire)->outcomes[static_cast<size_t>(OutcomeOf(code))].fetch_add(1, kRelaxed);
  refused_[static_cast<size_t>(code)].fetch_add(1, kRelaxed);
}

void VersionStats::Taken(Request* const* requests, size_t count, Release release, int64_t held_since_ns,
                         int64_t now_ns) {
  if (count == 0) return;
  // A request that is run in pieces is taken once for each.
  int64_t first_time = 0;
  for (size_t i = 0; i < count; ++i) first_time += requests[i]->taken_ns == 0 ? 1 : 0;
  waiting_.fetch_sub(first_time, kRelaxed);
  released_[static_cast<size_t>(release)].fetch_add(1, kRelaxed);
  for (size_t i = 0; i < count; ++i) {
    requests[i]->taken_ns = now_ns;
    requests[i]->held_ns = held_since_ns == 0 ? 0 : now_ns - std::max(held_since_ns, requests[i]->decoded_ns);
  }
}

void VersionStats::Ran(Request* const* requests, size_t count, int64_t rows, const RunTimes& times) {
  const int64_t gather_ns = times.gathered_ns - times.begun_ns;
  const int64_t run_ns = times.ran_ns - times.gathered_ns;
  const int64_t encode_ns = times.encoded_ns - times.ran_ns;
  BatchSizeStats* size = OfSize(rows);
  size->runs.fetch_add(1, kRelaxed);
  size->gather_ns.fetch_add(gather_ns, kRelaxed);
  size->run_ns.fetch_add(run_ns, kRelaxed);
  size->encode_ns.fetch_add(encode_ns, kRelaxed);

  // Requests of one batch nearly always came over one protocol.
  for (size_t begin = 0; begin < count;) {
    const WireForm wire = requests[begin]->wire;
    ProtocolStats* stats = Of(wire);
    Histogram& receives = At(stats, Stage::kReceive);
    Histogram& decodes = At(stats, Stage::kDecode);
    Histogram& queues = At(stats, Stage::kQueue);
    Histogram& waits = At(stats, Stage::kBatchWait);
    uint64_t at_once = 0, not_held = 0;
    int64_t receive_sum = 0, decode_sum = 0, queue_sum = 0, wait_sum = 0;
    size_t end = begin;
    for (; end < count && requests[end]->wire == wire; ++end) {
      Request& request = *requests[end];
      request.gathered_ns = times.gathered_ns;
      if (request.opened_ns == 0) {
        ++at_once;
      } else {
        receives.AddCount(request.submitted_ns - request.opened_ns);
        receive_sum += request.submitted_ns - request.opened_ns;
      }
      if (request.held_ns == 0) {
        ++not_held;
      } else {
        waits.AddCount(request.held_ns);
        wait_sum += request.held_ns;
      }
      const int64_t decode_ns = request.decoded_ns - request.submitted_ns;
      const int64_t queue_ns = request.taken_ns - request.decoded_ns - request.held_ns;
      decodes.AddCount(decode_ns);
      queues.AddCount(queue_ns);
      decode_sum += decode_ns;
      queue_sum += queue_ns;
    }
    if (at_once > 0) receives.AddCount(0, at_once);
    if (not_held > 0) waits.AddCount(0, not_held);
    if (receive_sum != 0) receives.AddSum(receive_sum);
    if (wait_sum != 0) waits.AddSum(wait_sum);
    decodes.AddSum(decode_sum);
    queues.AddSum(queue_sum);
    At(stats, Stage::kGather).Add(gather_ns, end - begin);
    At(stats, Stage::kRun).Add(run_ns, end - begin);
    At(stats, Stage::kEncode).Add(encode_ns, end - begin);
    begin = end;
  }
}

void VersionStats::Ended(Request* const* requests, size_t count, int64_t now_ns) {
  uint64_t ok_rows = 0;
  for (size_t begin = 0; begin < count;) {
    const WireForm wire = requests[begin]->wire;
    ProtocolStats* stats = Of(wire);
    uint64_t oks = 0, request_bytes = 0, reply_bytes = 0;
    int64_t ok_sum = 0;
    size_t end = begin;
    for (; end < count && requests[end]->wire == wire; ++end) {
      Request* request = requests[end];
      request->ended_ns = now_ns;
      request_bytes += request->body_bytes;
      reply_bytes += request->reply.size();
      if (request->taken_ns == 0) waiting_.fetch_sub(1, kRelaxed);
      const int64_t total_ns = now_ns - FirstByteNs(*request);
      if (request->code == Code::kOk) {
        ++oks;
        ok_rows += static_cast<uint64_t>(request->rows);
        stats->ok_total.AddCount(total_ns);
        ok_sum += total_ns;
        continue;
      }
      const Outcome outcome = OutcomeOf(request->code);
      stats->outcomes[static_cast<size_t>(outcome)].fetch_add(1, kRelaxed);
      refused_[static_cast<size_t>(request->code)].fetch_add(1, kRelaxed);
      if (outcome == Outcome::kFailed) stats->failed_total.Add(total_ns);
    }
    Count(&stats->outcomes[static_cast<size_t>(Outcome::kOk)], oks);
    Count(&stats->request_bytes, request_bytes);
    Count(&stats->reply_bytes, reply_bytes);
    if (oks > 0) stats->ok_total.AddSum(ok_sum);
    begin = end;
  }
  if (ok_rows == 0) return;
  ok_rows_.fetch_add(ok_rows, kRelaxed);
  last_ok_ns_.store(now_ns, kRelaxed);
}

void VersionStats::Sent(WireForm wire, uint64_t count, int64_t send_ns) {
  At(Of(wire), Stage::kSend).Add(std::max<int64_t>(send_ns, 0), count);
}

}  // namespace sluice
