// What the watch does of the Scheduler: deadlines, late and hung runs, and when to look again. Same object,
// same mutex as scheduler.cc.
#include <algorithm>
#include <new>

#include "base/clock.h"
#include "schedule/scheduler.h"

namespace sluice {

void Scheduler::SweepDue(int64_t now_ns, Sweep* sweep) {
  std::lock_guard<std::mutex> lock(mutex_);
  sweep->next_ns = kNever;
  for (size_t i = 0; i < active_.size();) {
    VersionQueue* queue = active_[i];
    try {
      queue->DropDue(now_ns, &sweep->dropped);
    } catch (const std::bad_alloc&) {
      // It is due still, and looked at again after the least pause.
    }
    sweep->next_ns = std::min(sweep->next_ns, queue->earliest_due_ns());
    Settle(queue);
    if (i < active_.size() && active_[i] == queue) ++i;
  }
  for (Run* run : running_) SweepRun(now_ns, run, sweep);
  watch_due_ns_ = sweep->next_ns;
}

void Scheduler::SweepRun(int64_t now_ns, Run* run, Sweep* sweep) {
  for (Request* request : run->batch.requests) {
    if (request->early_code != Code::kOk) continue;
    if (request->deadline_ns > now_ns) {
      sweep->next_ns = std::min(sweep->next_ns, request->deadline_ns);
      continue;
    }
    request->early_code = Code::kDeadlinePassed;
    tell_early_(request);
  }
  if (now_ns < run->late_at_ns()) {
    sweep->next_ns = std::min(sweep->next_ns, run->late_at_ns());
    return;
  }
  if (!run->is_late) {
    run->is_late = true;
    ++sweep->new_workers;
    TellBusy(run->queue);
    PublishFreeWorker();
  }
  if (now_ns < run->hung_at_ns()) {
    sweep->next_ns = std::min(sweep->next_ns, run->hung_at_ns());
  } else if (!run->is_hung) {
    run->is_hung = true;
    run->queue->RunHung();
  }
}

bool Scheduler::WaitUntilDue(int64_t next_ns) {
  // Sweeps are not made for every instant of a deadline: what is due within a millisecond goes together.
  constexpr int64_t kLeastPauseNs = 1'000'000;
  std::unique_lock<std::mutex> lock(mutex_);
  watch_due_ns_ = std::min(watch_due_ns_, next_ns);
  const int64_t least_ns = NowNs() + kLeastPauseNs;
  while (!is_watch_over_) {
    const int64_t due_ns = std::max(watch_due_ns_, least_ns);
    if (watch_due_ns_ != kNever && NowNs() >= due_ns) return true;
    if (watch_due_ns_ == kNever) {
      watch_wake_.wait(lock);
    } else {
      watch_wake_.wait_until(lock, Instant(due_ns));
    }
  }
  return false;
}

int64_t Scheduler::WatchDueNs() {
  std::lock_guard<std::mutex> lock(mutex_);
  return watch_due_ns_;
}

void Scheduler::WakeWatch(int64_t due_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  CallWatch(due_ns);
}

void Scheduler::EndWatch() {
  std::lock_guard<std::mutex> lock(mutex_);
  is_watch_over_ = true;
  watch_wake_.notify_all();
}

}  // namespace sluice
