#include "schedule/scheduler.h"

#include <algorithm>
#include <limits>
#include <new>

#include "base/clock.h"

namespace sluice {

namespace {

// How long one version's run may take while others wait, or have come within the time below.
constexpr int64_t kQuantumNs = 4'000'000;
constexpr int64_t kCompanyNs = 100'000'000;
// When to try again what found no memory.
constexpr int64_t kNoMemoryPauseNs = 1'000'000;

bool IsBackground(const Run& run) { return run.batch.requests[0]->priority == kBackgroundPriority; }

}  // namespace

Scheduler::Scheduler(int workers, std::function<void(Request*)> tell_early)
    : tell_early_(std::move(tell_early)) {
  load_.workers = std::max(workers, 1);
}

// Room for what may not fail later: a run more, and the queue of every run that brings rows back.
void Scheduler::MakeRoom() {
  running_.reserve(running_.size() + 1);
  active_.reserve(active_.size() + running_.size() + 1);
}

void Scheduler::Submit(VersionQueue* queue, Request* const* requests, size_t count, int64_t now_ns,
                       std::vector<Request*>* refused) {
  bool wake = false;
  refused->reserve(refused->size() + count);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    bool has_room = false;
    for (size_t i = 0; i < count; ++i) {
      Code code = Code::kDraining;
      try {
        if (!has_room) MakeRoom();
        has_room = true;
        if (!is_closed_) code = queue->Push(requests[i], now_ns, load_);
      } catch (const std::bad_alloc&) {
        code = Code::kQueueFull;
      }
      if (code == Code::kOk) continue;
      requests[i]->drop_code = code;
      refused->push_back(requests[i]);
    }
    if (queue->is_empty()) return;
    if (latest_.queue != queue) one_before_ = latest_;
    latest_ = {queue, now_ns};
    Activate(queue);
    CountWanting();
    CallWatch(queue->earliest_due_ns());
    wake = idle_workers_ > 0;
  }
  if (wake) wake_.notify_one();
}

bool Scheduler::Cancel(VersionQueue* queue, Request* request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (request->phase != Phase::kWaiting) return false;
  queue->Remove(request);
  Settle(queue);
  return true;
}

bool Scheduler::Next(Run* run) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (is_closed_) return false;
    if (surplus_ > 0) {
      --surplus_;
      // What woke this worker must not be lost with it.
      if (!active_.empty()) wake_.notify_one();
      return false;
    }
    int64_t look_again_ns = 0;
    bool has_work = false;
    try {
      has_work = PickLocked(NowNs(), run, &look_again_ns);
    } catch (const std::bad_alloc&) {
      has_work = !run->dropped.empty();
      look_again_ns = NowNs() + kNoMemoryPauseNs;
    }
    if (has_work) {
      // One wake-up lets one worker in; it passes the word on while there is more.
      if (!active_.empty() && idle_workers_ > 0) wake_.notify_one();
      return true;
    }
    ++idle_workers_;
    if (look_again_ns != 0) {
      wake_.wait_until(lock, Instant(look_again_ns));
    } else {
      wake_.wait(lock);
    }
    --idle_workers_;
  }
}

bool Scheduler::Pick(int64_t now_ns, Run* run, int64_t* look_again_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  return !is_closed_ && PickLocked(now_ns, run, look_again_ns);
}

bool Scheduler::PickLocked(int64_t now_ns, Run* run, int64_t* look_again_ns) {
  run->Clear();
  MakeRoom();
  // Background work never holds the last worker while there are several.
  const bool may_background = background_runs_ < std::max(1, load_.workers - 1);
  for (;;) {
    VersionQueue* queue = FairestReady(now_ns, false, look_again_ns);
    const bool is_background = queue == nullptr;
    if (is_background && may_background) queue = FairestReady(now_ns, true, look_again_ns);
    if (queue == nullptr) return !run->dropped.empty();
    run->finished.reserve(queue->most_batch_requests());
    const bool is_short = is_background || active_.size() > 1 || HasCompany(queue, now_ns);
    queue->Take({now_ns, is_short ? kQuantumNs : 0, is_background}, &run->batch, &run->dropped);
    const bool has_batch = !run->batch.requests.empty();
    if (has_batch) Begin(queue, now_ns, run);
    Settle(queue);
    if (has_batch) return true;
  }
}

// Whether another version has had requests lately: one of them may come while the next run is under way.
bool Scheduler::HasCompany(const VersionQueue* queue, int64_t now_ns) const {
  const Visit& other = latest_.queue == queue ? one_before_ : latest_;
  return other.queue != nullptr && now_ns - other.at_ns < kCompanyNs;
}

VersionQueue* Scheduler::FairestReady(int64_t now_ns, bool is_background, int64_t* look_again_ns) {
  VersionQueue* fairest = nullptr;
  for (VersionQueue* queue : active_) {
    queue->is_competing = queue->has_foreground() != is_background && queue->may_start_run() &&
                          queue->HasReady(now_ns, is_background, look_again_ns);
    if (!queue->is_competing) continue;
    if (fairest == nullptr || queue->share.paid_ns() < fairest->share.paid_ns()) fairest = queue;
  }
  if (fairest == nullptr) return nullptr;
  // Who does not want a worker now saves nothing up.
  for (VersionQueue* queue : active_) {
    if (!queue->is_competing) queue->share.CatchUp(fairest->share.paid_ns());
  }
  return fairest;
}

void Scheduler::Begin(VersionQueue* queue, int64_t now_ns, Run* run) {
  run->queue = queue;
  run->started_ns = now_ns;
  run->estimate_ns = queue->EstimateNs(run->batch.rows, run->batch.requests[0]->shape_key);
  run->index = running_.size();
  running_.push_back(run);
  paid_floor_ns_ = std::max(paid_floor_ns_, queue->share.paid_ns());
  queue->share.Pay(run->estimate_ns);
  queue->RunStarted();
  TellBusy(queue);
  if (IsBackground(*run)) ++background_runs_;
  PublishFreeWorker();
  int64_t due_ns = run->late_at_ns();
  for (const Request* request : run->batch.requests) due_ns = std::min(due_ns, request->deadline_ns);
  CallWatch(due_ns);
}

void Scheduler::Ended(Run* run, int64_t now_ns, const std::function<void()>& complete) {
  std::lock_guard<std::mutex> lock(mutex_);
  running_[run->index] = running_.back();
  running_[run->index]->index = run->index;
  running_.pop_back();
  if (IsBackground(*run)) --background_runs_;
  VersionQueue* queue = run->queue;
  const int64_t run_ns = now_ns - run->started_ns;
  queue->share.Pay(run_ns - run->estimate_ns);
  queue->RunEnded(run->batch, run_ns, now_ns);
  TellBusy(queue);
  if (run->is_hung) queue->HungRunEnded();
  if (run->is_late) ++surplus_;
  for (Request* request : run->batch.requests) {
    request->phase = Phase::kOutside;
    request->done_rows += request->part_rows;
    const bool goes_on = request->rows_left() > 0 && request->code == Code::kOk &&
                         request->early_code == Code::kOk && !is_closed_ &&
                         !request->is_cancelled.load(std::memory_order_relaxed);
    if (!goes_on) {
      if (request->rows_left() > 0 && request->code == Code::kOk) {
        request->drop_code = is_closed_ ? Code::kDraining : Code::kCancelled;
      }
      run->finished.push_back(request);
      continue;
    }
    try {
      queue->Return(request, now_ns);
    } catch (const std::bad_alloc&) {
      request->drop_code = Code::kQueueFull;
      run->finished.push_back(request);
      continue;
    }
    Activate(queue);
    CallWatch(request->deadline_ns);
  }
  CountWanting();
  PublishFreeWorker();
  // Others may have gone to sleep because this version had all its runs under way.
  if (!active_.empty() && idle_workers_ > 0) wake_.notify_one();
  if (complete != nullptr && queue->rules().keeps_order) complete();
}

void Scheduler::CallWatch(int64_t due_ns) {
  if (due_ns >= watch_due_ns_) return;
  watch_due_ns_ = due_ns;
  watch_wake_.notify_one();
}

std::vector<Request*> Scheduler::Close() {
  std::vector<Request*> left;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closed_ = true;
    size_t waiting = 0;
    for (const VersionQueue* queue : active_) waiting += static_cast<size_t>(queue->waiting_requests());
    left.reserve(waiting);
    for (VersionQueue* queue : active_) {
      queue->TakeAll(&left);
      queue->active_index = -1;
    }
    active_.clear();
    CountWanting();
  }
  wake_.notify_all();
  return left;
}

void Scheduler::Activate(VersionQueue* queue) {
  if (queue->active_index >= 0) return;
  queue->share.CatchUp(paid_floor_ns_);
  queue->active_index = static_cast<int>(active_.size());
  active_.push_back(queue);
}

void Scheduler::Settle(VersionQueue* queue) {
  if (queue->is_empty() && queue->active_index >= 0) Deactivate(queue);
  CountWanting();
}

void Scheduler::Deactivate(VersionQueue* queue) {
  active_[static_cast<size_t>(queue->active_index)] = active_.back();
  active_[static_cast<size_t>(queue->active_index)]->active_index = queue->active_index;
  active_.pop_back();
  queue->active_index = -1;
}

void Scheduler::CountWanting() {
  int wanting = 0;
  for (const VersionQueue* queue : active_) wanting += queue->has_foreground() ? 1 : 0;
  load_.wanting.store(wanting, std::memory_order_relaxed);
}

// When the first of the queue's runs is expected to end. Nothing is expected of one that is late.
void Scheduler::TellBusy(VersionQueue* queue) {
  int64_t earliest_end_ns = 0;
  for (const Run* run : running_) {
    const int64_t end_ns = run->started_ns + run->estimate_ns;
    const bool counts = run->queue == queue && !run->is_late;
    if (counts && (earliest_end_ns == 0 || end_ns < earliest_end_ns)) earliest_end_ns = end_ns;
  }
  queue->SetBusy(earliest_end_ns);
}

void Scheduler::PublishFreeWorker() {
  int64_t free_ns = 0;
  int busy = 0;
  for (const Run* run : running_) {
    if (run->is_late) continue;
    ++busy;
    const int64_t end_ns = run->started_ns + run->estimate_ns;
    if (free_ns == 0 || end_ns < free_ns) free_ns = end_ns;
  }
  load_.free_worker_ns.store(busy >= load_.workers ? free_ns : 0, std::memory_order_relaxed);
}

}  // namespace sluice
