// Scheduler: hands batches to workers. One mutex; the loop enters it once per tick, a worker once per run.
// Queues belong to their model versions and must be empty before they die. Requests pass through, nothing is
// freed here.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "schedule/version_queue.h"

namespace sluice {

struct Assignment {
  VersionQueue* queue = nullptr;
  Batch batch;
};

class Scheduler {
 public:
  // Any thread. On false (closed) the requests still belong to the caller.
  bool Submit(VersionQueue* queue, Request* const* requests, size_t count);

  // Worker threads: blocks until there is a batch to run; false once closed.
  bool Next(Assignment* assignment);

  // Says that the run of an assignment is over. Comes before its requests are completed: a completed request
  // no longer keeps its version, and so the queue, alive.
  void Ended(VersionQueue* queue);

  // The decision of Next without its waiting, for an injected instant. Answers whether `assignment` was
  // filled.
  bool Pick(int64_t now_ns, Assignment* assignment, int64_t* look_again_ns);

  // Refuses what comes and answers what waited; workers leave after their current run.
  std::vector<Request*> Close();

 private:
  bool PickLocked(int64_t now_ns, Assignment* assignment, int64_t* look_again_ns);
  void Activate(VersionQueue* queue);
  void Deactivate(VersionQueue* queue);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<VersionQueue*> active_;  // those with something waiting
  size_t next_turn_ = 0;               // round robin over versions
  int idle_workers_ = 0;
  bool is_closed_ = false;
};

}  // namespace sluice
