// Scheduler: decides what runs next. One mutex; a loop enters it once per tick and version, a worker twice
// per run, the watch when something is due. Queues belong to their model versions and must be empty before
// they die. Requests pass through, nothing is freed here. Every decision takes its instant as an argument;
// only Next and WaitUntilDue read the clock, and they do nothing but wait. Where memory is missing, what
// needs it is put off (Next, SweepDue), refused (Submit) or thrown as std::bad_alloc before anything has
// changed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "schedule/run.h"
#include "schedule/version_queue.h"

namespace sluice {

struct Sweep {
  std::vector<Request*> dropped;  // waited too long; drop_code says why
  int new_workers = 0;            // to be started in the place of late ones
  int64_t next_ns = kNever;       // when to sweep again, unless Submit or Pick say sooner
};

class Scheduler {
 public:
  // `tell_early` is called under the mutex for a running request whose deadline has passed; `early_code` is
  // set.
  Scheduler(int workers, std::function<void(Request*)> tell_early);

  const SharedLoad& load() const { return load_; }

  // Any thread. What may not wait comes back in `refused` with its drop_code, and still belongs to the
  // caller. `refused` should have room for `count` more: making it may throw.
  void Submit(VersionQueue* queue, Request* const* requests, size_t count, int64_t now_ns,
              std::vector<Request*>* refused);

  // Any thread. True: the request waited and has left; it belongs to the caller.
  bool Cancel(VersionQueue* queue, Request* request);

  // Worker threads: blocks until there is something to run or to answer; false: this worker is to leave.
  bool Next(Run* run);
  // The decision of Next without its waiting. False: nothing is to be done before `look_again_ns` (0: ever).
  // May throw.
  bool Pick(int64_t now_ns, Run* run, int64_t* look_again_ns);

  // The run is over. Fills run->finished; a request of which rows are left goes back to wait. Comes before
  // anything is completed: a completed request no longer keeps its version, and so the queue, alive. Where
  // the queue keeps its order, `complete` is called under the mutex, last of all: no later run may begin, and
  // end, before the requests of this one are on their way.
  void Ended(Run* run, int64_t now_ns, const std::function<void()>& complete = nullptr);

  // The watch: answers what is due, wherever it is.
  void SweepDue(int64_t now_ns, Sweep* sweep);
  // When something will be due; kNever: nothing is.
  int64_t WatchDueNs();
  // Blocks until the next sweep is due; false once closed.
  bool WaitUntilDue(int64_t next_ns);
  // Any thread: the watch is to wake then, if not before.
  void WakeWatch(int64_t due_ns);

  // Refuses what comes and hands back what waited; workers leave after their current run. May throw: what
  // waits then goes on waiting, and Close is to be called again.
  std::vector<Request*> Close();
  // Ends the watch, too. After Close, when no worker is left.
  void EndWatch();

 private:
  // Compared, never looked into: the queue may be gone.
  struct Visit {
    const VersionQueue* queue = nullptr;
    int64_t at_ns = 0;
  };

  void MakeRoom();
  bool PickLocked(int64_t now_ns, Run* run, int64_t* look_again_ns);
  bool HasCompany(const VersionQueue* queue, int64_t now_ns) const;
  VersionQueue* FairestReady(int64_t now_ns, bool is_background, int64_t* look_again_ns);
  void Begin(VersionQueue* queue, int64_t now_ns, Run* run);
  void Settle(VersionQueue* queue);
  void Activate(VersionQueue* queue);
  void Deactivate(VersionQueue* queue);
  void CountWanting();
  void TellBusy(VersionQueue* queue);
  void PublishFreeWorker();
  void CallWatch(int64_t due_ns);
  void SweepRun(int64_t now_ns, Run* run, Sweep* sweep);

  const std::function<void(Request*)> tell_early_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable watch_wake_;
  SharedLoad load_;
  std::vector<VersionQueue*> active_;  // those with something waiting
  std::vector<Run*> running_;
  Visit latest_;              // the version that had requests last
  Visit one_before_;          // and the last other one
  double paid_floor_ns_ = 0;  // where versions that come back begin to pay
  int idle_workers_ = 0;
  int background_runs_ = 0;
  int surplus_ = 0;  // workers beyond the configured number that are to leave
  int64_t watch_due_ns_ = kNever;
  bool is_closed_ = false;
  bool is_watch_over_ = false;
};

}  // namespace sluice
