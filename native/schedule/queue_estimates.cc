// How long runs of a version take and what waits will have to wait: the part of VersionQueue that admission
// and fair shares ask. Same object as version_queue.cc; what is read without the mutex is atomic.
#include <algorithm>

#include "schedule/version_queue.h"

namespace sluice {

namespace {

// The batch limit follows the cost table this often, and only for a gain worth having.
constexpr uint64_t kRunsPerKnee = 512;
// A request is cut only where its run would be longer than this: a shorter one is in nobody's way.
constexpr int64_t kLongRunNs = 4'000'000;
constexpr int64_t kRequestsPerAverage = 8;

}  // namespace

double VersionQueue::ScaleOf(uint64_t shape_key) const {
  return shape_key == 0 && !cost_->empty() ? 1 : shape_costs_.ScaleOf(shape_key);
}

int64_t VersionQueue::EstimateNs(int64_t rows, uint64_t shape_key) const {
  const double whole = cost_->empty() ? 1 : static_cast<double>(cost_->EstimateNs(rows));
  return static_cast<int64_t>(whole * ScaleOf(shape_key));
}

int64_t VersionQueue::LimitOf(uint64_t shape_key) const {
  const int64_t own = shape_costs_.LimitOf(shape_key);
  return own > 0 ? std::min(own, limit_rows()) : limit_rows();
}

int64_t VersionQueue::RowsWithin(int64_t run_ns, uint64_t shape_key) const {
  const double scale = ScaleOf(shape_key);
  if (scale <= 0 || cost_->empty()) return rules_.most_run_rows;
  return cost_->RowsWithin(static_cast<int64_t>(static_cast<double>(run_ns) / scale), rules_.most_run_rows);
}

int64_t VersionQueue::ChunkRows(uint64_t shape_key) const {
  if (!rules_.may_batch) return rules_.most_run_rows;
  return std::max(LimitOf(shape_key), RowsWithin(kLongRunNs, shape_key));
}

// What a waiting request takes before those who come after it have their turn.
int64_t VersionQueue::NextUnits(const Request& request) const {
  const int64_t left = request.rows_left();
  if (!rules_.may_batch) return rules_.keeps_order ? (left - 1) / rules_.most_run_rows + 1 : 1;
  const int64_t limit = LimitOf(request.shape_key);
  if (rules_.keeps_order || !rules_.may_cut || left <= limit) return left;
  return left > ChunkRows(request.shape_key) ? limit : left;
}

int64_t VersionQueue::OwnNs(int64_t rows, const QueueFacts& facts) const {
  if (rules_.may_batch) {
    return rows >= facts.limit_rows
               ? facts.batch_ns * ((rows - 1) / facts.limit_rows + 1)
               : std::min(row_ns_.load(std::memory_order_relaxed) * rows, facts.batch_ns);
  }
  if (cost_->empty()) return facts.batch_ns;
  const int64_t runs = (rows - 1) / rules_.most_run_rows + 1;
  const double run_ns = static_cast<double>(cost_->CautiousNs(std::min(rows, rules_.most_run_rows)));
  return static_cast<int64_t>(run_ns * scale_.load(std::memory_order_relaxed)) * runs;
}

QueueFacts VersionQueue::Facts(int level, int64_t rows, int64_t now_ns, const SharedLoad& load) const {
  const auto read = [](const std::atomic<int64_t>& number) { return number.load(std::memory_order_relaxed); };
  QueueFacts facts;
  facts.limit_rows = read(limit_rows_);
  // Higher levels go first to their last piece. At its own level a request lets the first piece of each pass,
  // and all of them where it takes turns with them itself.
  const bool takes_turns = rows > facts.limit_rows;
  for (size_t i = 1; i <= LevelIndex(level); ++i) {
    const bool counts_all = rules_.may_batch && (takes_turns || i < LevelIndex(level));
    facts.rows_ahead += read(counts_all ? rows_by_level_[i] : next_units_by_level_[i]);
  }
  const int64_t request_ns = read(request_ns_);
  facts.batch_ns = request_ns > 0 ? request_ns : read(batch_ns_);
  facts.own_ns = OwnNs(rows, facts);
  const int64_t free_ns = std::max(read(busy_until_ns_), load.free_worker_ns.load(std::memory_order_relaxed));
  facts.residual_ns = std::max<int64_t>(free_ns - now_ns, 0);
  facts.parallel_runs = std::min(std::max(rules_.instance_count - hung_runs(), 1), load.workers);
  facts.crowding = static_cast<double>(load.wanting.load(std::memory_order_relaxed)) / load.workers;
  facts.deviation = cost_->deviation();
  return facts;
}

Code VersionQueue::Refusal(uint8_t priority, int64_t rows, int64_t now_ns, int64_t deadline_ns,
                           const SharedLoad& load, int64_t more_ahead) const {
  if (is_hung()) return Code::kNotReady;
  QueueFacts facts = Facts(LevelOf(priority), rules_.may_batch ? rows + more_ahead : rows, now_ns, load);
  if (!rules_.may_batch) facts.rows_ahead += more_ahead;
  const bool is_stale = now_ns >= stale_at_ns_.load(std::memory_order_relaxed);
  if (is_stale && facts.rows_ahead == 0) return Code::kOk;
  return MayAdmit(facts, deadline_ns - now_ns) ? Code::kOk : Code::kQueueFull;
}

int64_t VersionQueue::PredictedNs(uint8_t priority, int64_t now_ns, const SharedLoad& load) const {
  const QueueFacts facts = Facts(LevelOf(priority), 1, now_ns, load);
  return facts.batch_ns > 0 ? PredictNs(facts) : 0;
}

void VersionQueue::RunEnded(const Batch& batch, int64_t run_ns, int64_t now_ns) {
  --running_;
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
  full_batch_ns_.store(cautious(LimitOf(shape_key)), std::memory_order_relaxed);
  row_ns_.store(cautious(1), std::memory_order_relaxed);
  scale_.store(ScaleOf(shape_key), std::memory_order_relaxed);
  if (rules_.may_batch) return;
  const int64_t own_ns = cautious(batch.rows);
  const int64_t known_ns = request_ns_.load(std::memory_order_relaxed);
  request_ns_.store(known_ns == 0 ? own_ns : known_ns + (own_ns - known_ns) / kRequestsPerAverage,
                    std::memory_order_relaxed);
}

}  // namespace sluice
