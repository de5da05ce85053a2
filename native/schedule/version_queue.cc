#include "schedule/version_queue.h"

#include <algorithm>
#include <new>

namespace sluice {

namespace {

// Different shapes that may wait at one time.
constexpr size_t kMostLanes = 256;

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
      next_units_by_level_(new std::atomic<int64_t>[static_cast<size_t>(rules_.levels) + 2]()),
      limit_rows_(rules_.batch.limit_rows) {
  batch_ns_.store(cost_->CautiousNs(rules_.batch.limit_rows));
  full_batch_ns_.store(batch_ns_.load());
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
  request->next_units = NextUnits(*request);
  next_units_by_level_[level].fetch_add(request->next_units, std::memory_order_relaxed);
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
  next_units_by_level_[level].fetch_sub(request->next_units, std::memory_order_relaxed);
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

}  // namespace sluice
