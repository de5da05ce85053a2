#include "schedule/version_queue.h"

#include <algorithm>
#include <new>

namespace sluice {

namespace {

// Different shapes that may wait at one time.
constexpr size_t kMostLanes = 256;
// The batch limit follows the cost table this often, and only for a gain worth having.
constexpr uint64_t kRunsPerKnee = 512;

}  // namespace

bool MayShareRun(const Request& a, const Request& b) {
  if (a.shape_key != b.shape_key) return false;
  if (a.shape_key == 0) return true;  // every dimension is fixed by the model
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    if (!(a.inputs[i].dims == b.inputs[i].dims)) return false;
  }
  return true;
}

VersionQueue::VersionQueue(QueueRules rules, CostTable* cost)
    : share(rules.weight),
      rules_(std::move(rules)),
      cost_(cost),
      requests_by_level_(static_cast<size_t>(rules_.levels) + 2),
      rows_by_level_(new std::atomic<int64_t>[static_cast<size_t>(rules_.levels) + 2]()),
      limit_rows_(rules_.batch.limit_rows) {
  batch_ns_.store(cost_->CautiousNs(rules_.batch.limit_rows));
  row_ns_.store(cost_->CautiousNs(1));
}

uint8_t VersionQueue::LevelOf(uint8_t priority) const {
  if (priority == kBackgroundPriority) return priority;
  const bool is_known = priority >= 1 && priority <= rules_.levels;
  return is_known ? priority : static_cast<uint8_t>(rules_.default_level);
}

size_t VersionQueue::LevelIndex(int level) const {
  return static_cast<size_t>(level == kBackgroundPriority ? rules_.levels + 1 : level);
}

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

Code VersionQueue::Push(Request* request, int64_t now_ns, const SharedLoad& load) {
  if (request->is_cancelled.load(std::memory_order_relaxed)) return Code::kCancelled;
  request->priority = LevelOf(request->priority);
  const bool is_background = request->priority == kBackgroundPriority;
  int64_t most_requests = 0;
  request->start_by_ns = kNever;
  if (rules_.policies.empty() || is_background) {
    if (request->queue_timeout_ns > 0) {
      request->deadline_ns =
          std::min(request->deadline_ns, request->submitted_ns + request->queue_timeout_ns);
    }
  } else {
    const LevelPolicy& policy = rules_.policies[request->priority];
    int64_t timeout_ns = policy.timeout_ns;
    if (policy.may_override && request->queue_timeout_ns > 0 &&
        (timeout_ns == 0 || request->queue_timeout_ns < timeout_ns)) {
      timeout_ns = request->queue_timeout_ns;
    }
    if (timeout_ns > 0) request->start_by_ns = request->submitted_ns + timeout_ns;
    most_requests = policy.most_requests;
  }
  if (request->deadline_ns <= now_ns) return Code::kDeadlinePassed;
  const size_t level = LevelIndex(request->priority);
  if (most_requests > 0 && requests_by_level_[level] >= most_requests) return Code::kQueueFull;
  request->bytes = request->tensors.size() + request->body.size();
  if (waiting_bytes_ > 0 && waiting_bytes_ + request->bytes > rules_.most_bytes) return Code::kQueueFull;
  if (lanes_.size() >= kMostLanes) return Code::kQueueFull;
  const Code refusal = Refusal(request->priority, request->rows, now_ns, request->deadline_ns, load);
  if (refusal != Code::kOk) return refusal;

  request->queued_ns = now_ns;
  request->done_rows = 0;
  LaneFor(*request, request->priority, false)->PushBack(request);
  CountIn(request);
  return Code::kOk;
}

void VersionQueue::Return(Request* request, int64_t now_ns) {
  request->queued_ns = now_ns;
  Lane* lane = LaneFor(*request, request->priority, false);
  if (rules_.keeps_order) {
    lane->PushFront(request);
  } else {
    lane->PushBack(request);
  }
  CountIn(request);
}

Lane* VersionQueue::LaneFor(const Request& request, int level, bool is_delayed) {
  for (const auto& lane : lanes_) {
    if (rules_.keeps_order && level != kBackgroundPriority && lane->level == level) return lane.get();
    if (lane->level == level && lane->is_delayed == is_delayed && !lane->is_empty() &&
        MayShareRun(*lane->first, request)) {
      return lane.get();
    }
  }
  // Nothing is added when there is no memory for it.
  auto fresh = std::make_unique<Lane>();
  lanes_.push_back(std::move(fresh));
  lanes_.back()->level = level;
  lanes_.back()->is_delayed = is_delayed;
  return lanes_.back().get();
}

void VersionQueue::CountIn(Request* request) {
  request->phase = Phase::kWaiting;
  const size_t level = LevelIndex(request->priority);
  ++requests_by_level_[level];
  waiting_requests_.fetch_add(1, std::memory_order_relaxed);
  rows_by_level_[level].fetch_add(request->rows_left(), std::memory_order_relaxed);
  if (request->priority != kBackgroundPriority) rows_above_background_ += request->rows_left();
  waiting_bytes_ += request->bytes;
  earliest_due_ns_ = std::min({earliest_due_ns_, request->deadline_ns, request->start_by_ns});
}

void VersionQueue::Leave(Request* request) {
  request->lane->Remove(request);
  request->phase = Phase::kOutside;
  const size_t level = LevelIndex(request->priority);
  --requests_by_level_[level];
  waiting_requests_.fetch_sub(1, std::memory_order_relaxed);
  rows_by_level_[level].fetch_sub(request->rows_left(), std::memory_order_relaxed);
  if (request->priority != kBackgroundPriority) rows_above_background_ -= request->rows_left();
  waiting_bytes_ -= request->bytes;
}

void VersionQueue::Remove(Request* request) {
  Leave(request);
  EraseEmptyLanes();
}

void VersionQueue::EraseEmptyLanes() {
  for (size_t i = 0; i < lanes_.size();) {
    if (!lanes_[i]->is_empty()) {
      ++i;
      continue;
    }
    if (i + 1 != lanes_.size()) lanes_[i] = std::move(lanes_.back());
    lanes_.pop_back();
  }
  if (lanes_.empty()) earliest_due_ns_ = kNever;
}

void VersionQueue::TakeAll(std::vector<Request*>* requests) {
  for (const auto& lane : lanes_) {
    while (!lane->is_empty()) {
      requests->push_back(lane->first);
      Leave(lane->first);
    }
  }
  EraseEmptyLanes();
}

void VersionQueue::DropDue(int64_t now_ns, std::vector<Request*>* dropped) {
  if (now_ns < earliest_due_ns_) return;
  dropped->reserve(dropped->size() + static_cast<size_t>(waiting_requests()));
  earliest_due_ns_ = kNever;
  // Lanes of the delayed may be added behind while this goes on.
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane* const lane = lanes_[i].get();
    lane->earliest_deadline_ns = kNever;
    for (Request* request = lane->first; request != nullptr;) {
      Request* const next = request->next;
      const bool is_late = request->start_by_ns <= now_ns;
      if (request->deadline_ns <= now_ns) {
        request->drop_code = Code::kDeadlinePassed;
        Leave(request);
        dropped->push_back(request);
      } else if (is_late && !rules_.policies[request->priority].delays) {
        request->drop_code = Code::kQueueFull;
        Leave(request);
        dropped->push_back(request);
      } else if (is_late) {
        if (!Delay(request)) {
          request->drop_code = Code::kQueueFull;
          Leave(request);
          dropped->push_back(request);
        }
      } else {
        earliest_due_ns_ = std::min({earliest_due_ns_, request->deadline_ns, request->start_by_ns});
        lane->earliest_deadline_ns = std::min(lane->earliest_deadline_ns, request->deadline_ns);
      }
      request = next;
    }
  }
  EraseEmptyLanes();
}

// Moves a waiting request behind all others of its level. False: there is no memory for a lane.
bool VersionQueue::Delay(Request* request) {
  Lane* lane = nullptr;
  try {
    lane = LaneFor(*request, request->priority, true);
  } catch (const std::bad_alloc&) {
    return false;
  }
  Leave(request);
  request->start_by_ns = kNever;
  lane->PushBack(request);
  CountIn(request);
  return true;
}

int64_t VersionQueue::waiting_rows() const {
  int64_t rows = 0;
  for (size_t i = 1; i < requests_by_level_.size(); ++i) {
    rows += rows_by_level_[i].load(std::memory_order_relaxed);
  }
  return rows;
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
