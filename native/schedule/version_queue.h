// VersionQueue: what waits for one model version. Requests that may share a run (same inner shapes) stand in
// one lane, so different shapes never close each other's batches. Guarded by the scheduler's mutex; holds
// requests, does not free them.
#pragma once

#include <cstdint>
#include <vector>

#include "schedule/policy.h"
#include "schedule/request.h"

namespace sluice {

struct Batch {
  std::vector<Request*> requests;
  std::vector<Request*> cancelled;  // taken out without running
  int64_t rows = 0;
  Release release = Release::kIdleWorker;
  int64_t held_since_ns = 0;  // since when the policy kept its lane waiting for company; 0 = it never did
};

class VersionQueue {
 public:
  VersionQueue(BatchRules rules, bool may_batch, int instance_count)
      : rules_(std::move(rules)), may_batch_(may_batch), instance_count_(instance_count) {}

  void Push(Request* request);
  bool is_empty() const { return lanes_.empty(); }
  bool may_start_run() const { return running_ < instance_count_; }

  // Fills `batch` when the policy lets a lane go now. Otherwise answers false and sets `look_again_ns` to the
  // instant at which a waiting lane is released (unchanged when there is none).
  bool Take(int64_t now_ns, Batch* batch, int64_t* look_again_ns);
  void RunStarted() { ++running_; }
  void RunEnded() { --running_; }
  // Removes everything.
  void TakeAll(std::vector<Request*>* requests);

  // Position in the scheduler's list of queues that have something waiting; -1 when absent.
  int active_index = -1;

 private:
  struct Lane {
    std::vector<Request*> waiting;  // consumed from `first`
    size_t first = 0;
    int64_t rows = 0;
    int64_t held_since_ns = 0;
  };

  void TakeFromLane(Lane* lane, int64_t take_rows, Batch* batch);

  const BatchRules rules_;
  const bool may_batch_;
  const int instance_count_;
  int running_ = 0;
  std::vector<Lane> lanes_;  // none is empty
};

// Whether two requests of one version may stand in the same batch.
bool MayShareRun(const Request& a, const Request& b);

}  // namespace sluice
