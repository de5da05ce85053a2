#include "schedule/scheduler.h"

#include "base/clock.h"

namespace sluice {

bool Scheduler::Submit(VersionQueue* queue, Request* const* requests, size_t count) {
  bool wake = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (is_closed_) return false;
    for (size_t i = 0; i < count; ++i) queue->Push(requests[i]);
    Activate(queue);
    wake = idle_workers_ > 0;
  }
  if (wake) wake_.notify_one();
  return true;
}

void Scheduler::Ended(VersionQueue* queue) {
  std::lock_guard<std::mutex> lock(mutex_);
  queue->RunEnded();
  // Others may have gone to sleep because this version had all its runs under way.
  if (!queue->is_empty() && idle_workers_ > 0) wake_.notify_one();
}

bool Scheduler::Next(Assignment* assignment) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (is_closed_) return false;
    int64_t look_again_ns = 0;
    if (PickLocked(NowNs(), assignment, &look_again_ns)) {
      // One wake-up lets one worker in; it passes the word on while there is more.
      if (!active_.empty() && idle_workers_ > 0) wake_.notify_one();
      return true;
    }
    ++idle_workers_;
    if (look_again_ns != 0) {
      const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(look_again_ns)};
      wake_.wait_until(lock, until);
    } else {
      wake_.wait(lock);
    }
    --idle_workers_;
  }
}

bool Scheduler::Pick(int64_t now_ns, Assignment* assignment, int64_t* look_again_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  return PickLocked(now_ns, assignment, look_again_ns);
}

bool Scheduler::PickLocked(int64_t now_ns, Assignment* assignment, int64_t* look_again_ns) {
  const size_t count = active_.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t index = (next_turn_ + i) % count;
    VersionQueue* queue = active_[index];
    if (!queue->may_start_run()) continue;
    if (!queue->Take(now_ns, &assignment->batch, look_again_ns)) continue;
    assignment->queue = queue;
    queue->RunStarted();
    next_turn_ = index + 1;
    if (queue->is_empty()) Deactivate(queue);
    return true;
  }
  return false;
}

std::vector<Request*> Scheduler::Close() {
  std::vector<Request*> left;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closed_ = true;
    for (VersionQueue* queue : active_) {
      queue->TakeAll(&left);
      queue->active_index = -1;
    }
    active_.clear();
  }
  wake_.notify_all();
  return left;
}

void Scheduler::Activate(VersionQueue* queue) {
  if (queue->active_index >= 0) return;
  queue->active_index = static_cast<int>(active_.size());
  active_.push_back(queue);
}

void Scheduler::Deactivate(VersionQueue* queue) {
  active_[static_cast<size_t>(queue->active_index)] = active_.back();
  active_[static_cast<size_t>(queue->active_index)]->active_index = queue->active_index;
  active_.pop_back();
  queue->active_index = -1;
}

}  // namespace sluice
