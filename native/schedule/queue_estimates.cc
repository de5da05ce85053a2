// How long runs of a version take and what waits will have to wait: the part of VersionQueue that admission
// and fair shares ask. Same object as version_queue.cc; what is read without the mutex is atomic.
#include <algorithm>

#include "schedule/version_queue.h"

namespace sluice {

namespace {

// The batch limit follows the cost table this often, and only for a gain worth having.
constexpr uint64_t kRunsPerKnee = 512;

}  // namespace

double VersionQueue::ScaleOf(uint64_t shape_key) const {
  return shape_key == 0 && !cost_->empty() ? 1 : shape_costs_.ScaleOf(shape_key);
}

int64_t VersionQueue::EstimateNs(int64_t rows, uint64_t shape_key) const {
  const double whole = cost_->empty() ? 1 : static_cast<double>(cost_->EstimateNs(rows));
  return static_cast<int64_t>(whole * ScaleOf(shape_key));
}

QueueFacts VersionQueue::Facts(int level, int64_t rows, int64_t now_ns, const SharedLoad& load) const {
  const auto read = [](const std::atomic<int64_t>& number) { return number.load(std::memory_order_relaxed); };
  QueueFacts facts;
  for (size_t i = 1; i <= LevelIndex(level); ++i) facts.rows_ahead += read(rows_by_level_[i]);
  facts.rows = rows;
  facts.limit_rows = read(limit_rows_);
  facts.batch_ns = read(batch_ns_);
  facts.own_ns = rows >= facts.limit_rows ? facts.batch_ns * ((rows - 1) / facts.limit_rows + 1)
                                          : std::min(read(row_ns_) * rows, facts.batch_ns);
  const int64_t free_ns = std::max(read(busy_until_ns_), load.free_worker_ns.load(std::memory_order_relaxed));
  facts.residual_ns = std::max<int64_t>(free_ns - now_ns, 0);
  facts.parallel_runs = std::min(rules_.instance_count, load.workers);
  facts.crowding = static_cast<double>(load.wanting.load(std::memory_order_relaxed)) / load.workers;
  facts.deviation = cost_->deviation();
  return facts;
}

Code VersionQueue::Refusal(uint8_t priority, int64_t rows, int64_t now_ns, int64_t deadline_ns,
                           const SharedLoad& load) const {
  if (is_hung()) return Code::kNotReady;
  const QueueFacts facts = Facts(LevelOf(priority), rows, now_ns, load);
  const bool is_stale = now_ns >= stale_at_ns_.load(std::memory_order_relaxed);
  if (is_stale && facts.rows_ahead == 0) return Code::kOk;
  return MayAdmit(facts, deadline_ns - now_ns) ? Code::kOk : Code::kQueueFull;
}

int64_t VersionQueue::PredictedNs(uint8_t priority, int64_t now_ns, const SharedLoad& load) const {
  const QueueFacts facts = Facts(LevelOf(priority), 1, now_ns, load);
  return facts.batch_ns > 0 ? PredictNs(facts) : 0;
}

void VersionQueue::RunStarted(int64_t end_ns) {
  ++running_;
  if (!may_start_run()) {
    const int64_t known = busy_until_ns_.load(std::memory_order_relaxed);
    busy_until_ns_.store(known == 0 ? end_ns : std::min(known, end_ns), std::memory_order_relaxed);
  }
}

void VersionQueue::RunEnded(const Batch& batch, int64_t run_ns, int64_t now_ns, int64_t earliest_end_ns) {
  --running_;
  busy_until_ns_.store(may_start_run() ? 0 : earliest_end_ns, std::memory_order_relaxed);
  if (batch.requests.empty()) return;
  stale_at_ns_.store(now_ns + kFreshNs, std::memory_order_relaxed);
  const uint64_t shape_key = batch.requests[0]->shape_key;
  if (shape_key == 0 && !cost_->empty()) {
    cost_->Observe(batch.rows, run_ns, 1);
  } else {
    const double whole = cost_->empty() ? 1 : static_cast<double>(cost_->EstimateNs(batch.rows));
    shape_costs_.Observe(shape_key, static_cast<double>(run_ns) / std::max(whole, 1.0));
  }
  if (++ended_runs_ % kRunsPerKnee == 0 && rules_.follows_knee) {
    const int64_t knee = cost_->KneeRows(limit_rows());
    const double now_rate =
        static_cast<double>(limit_rows()) / static_cast<double>(cost_->EstimateNs(limit_rows()) + 1);
    const double new_rate = static_cast<double>(knee) / static_cast<double>(cost_->EstimateNs(knee) + 1);
    if (new_rate > 1.1 * now_rate || (knee < limit_rows() && new_rate > 0.99 * now_rate)) {
      limit_rows_.store(knee, std::memory_order_relaxed);
      rules_.batch.limit_rows = knee;
    }
  }
  const double margin = 1 + 2 * cost_->deviation();
  const auto cautious = [&](int64_t rows) {
    return static_cast<int64_t>(static_cast<double>(EstimateNs(rows, shape_key)) * margin);
  };
  batch_ns_.store(cautious(limit_rows()), std::memory_order_relaxed);
  row_ns_.store(cautious(1), std::memory_order_relaxed);
}

}  // namespace sluice
