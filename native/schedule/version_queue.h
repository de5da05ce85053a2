// VersionQueue: what waits for one model version, in lanes by shape and level, and what is known of its runs.
// Guarded by the scheduler's mutex, except for the numbers that Refusal reads. Holds requests, frees none.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "schedule/admission.h"
#include "schedule/cost_table.h"
#include "schedule/fair_share.h"
#include "schedule/lane.h"
#include "schedule/queue_rules.h"
#include "schedule/shape_costs.h"

namespace sluice {

// Estimates that no run has confirmed for so long refuse nobody: a version must be able to prove them wrong.
inline constexpr int64_t kFreshNs = 1'000'000'000;

struct Batch {
  std::vector<Request*> requests;
  int64_t rows = 0;
  Release release = Release::kIdleWorker;
  int64_t held_since_ns = 0;  // since when the policy kept its lane waiting for company; 0 = it never did
};

// What all versions share; the scheduler writes it, anybody reads it.
struct SharedLoad {
  int workers = 1;
  std::atomic<int> wanting{0};             // versions with something waiting above the background
  std::atomic<int64_t> free_worker_ns{0};  // when a worker is expected to be free; 0: one is
};

struct TakeTerms {
  int64_t now_ns = 0;
  int64_t quantum_ns = 0;  // how long the run may take, because others wait; 0: no limit
  bool may_background = true;
};

class VersionQueue {
 public:
  // `cost` belongs to the version and is corrected here.
  VersionQueue(QueueRules rules, CostTable* cost);

  // Before the first request: what a shape costs beside the cost table, and its own knee, as measured.
  void SeedShape(uint64_t shape_key, double scale, int64_t knee_rows) {
    shape_costs_.Seed(shape_key, scale, rules_.follows_knee ? knee_rows : 0);
  }

  const QueueRules& rules() const { return rules_; }
  // The level that a request's priority means here.
  uint8_t LevelOf(uint8_t priority) const;

  // Any thread, without the mutex: why a request that came now could not be answered in time, or kOk.
  // `more_ahead`: rows, or without batching requests, that will wait before it and are not yet here.
  Code Refusal(uint8_t priority, int64_t rows, int64_t now_ns, int64_t deadline_ns, const SharedLoad& load,
               int64_t more_ahead = 0) const;

  // Any thread, without the mutex: how long a request that came now would be under way; 0 = nothing is known.
  int64_t PredictedNs(uint8_t priority, int64_t now_ns, const SharedLoad& load) const;

  // What may throw std::bad_alloc here has then changed nothing.

  // kOk: the request waits. Otherwise why not; it then still belongs to the caller.
  Code Push(Request* request, int64_t now_ns, const SharedLoad& load);
  // Brings back a request of which only some rows have been run. May throw.
  void Return(Request* request, int64_t now_ns);
  // A waiting request leaves.
  void Remove(Request* request);
  // `requests` has room for all that wait.
  void TakeAll(std::vector<Request*>* requests);
  // Takes out what has waited too long. Afterwards nothing that waits has a deadline at or before `now_ns`.
  // May throw.
  void DropDue(int64_t now_ns, std::vector<Request*>* dropped);

  // Whether the policy lets a lane go now; if not, `look_again_ns` is lowered to when it does.
  bool HasReady(int64_t now_ns, bool may_background, int64_t* look_again_ns) const;
  // Fills `batch` from the lane that goes first. The batch may stay empty where all that waited came to
  // nothing. May throw.
  void Take(const TakeTerms& terms, Batch* batch, std::vector<Request*>* dropped);

  void RunStarted() { ++running_; }
  void RunEnded(const Batch& batch, int64_t run_ns, int64_t now_ns);
  // `earliest_end_ns`: of the runs under way that are not late, 0 for none.
  void SetBusy(int64_t earliest_end_ns) {
    busy_until_ns_.store(may_start_run() ? 0 : earliest_end_ns, std::memory_order_relaxed);
  }
  void RunHung() { hung_runs_.fetch_add(1, std::memory_order_relaxed); }
  void HungRunEnded() { hung_runs_.fetch_sub(1, std::memory_order_relaxed); }
  int hung_runs() const { return hung_runs_.load(std::memory_order_relaxed); }
  // Every instance is in a run that does not end.
  bool is_hung() const { return hung_runs() >= rules_.instance_count; }

  bool may_start_run() const { return running_ < rules_.instance_count; }
  bool is_empty() const { return lanes_.empty(); }
  bool has_foreground() const { return rows_above_background_ > 0; }
  int64_t earliest_due_ns() const { return earliest_due_ns_; }
  int64_t waiting_requests() const { return waiting_requests_.load(std::memory_order_relaxed); }
  int64_t waiting_rows() const;
  size_t waiting_bytes() const { return waiting_bytes_; }
  int64_t EstimateNs(int64_t rows, uint64_t shape_key) const;
  // Cautious, of the shape that ran last at its own limit; 0: not known.
  int64_t full_batch_ns() const { return full_batch_ns_.load(std::memory_order_relaxed); }
  int64_t limit_rows() const { return limit_rows_.load(std::memory_order_relaxed); }

  // Requests that the next batch can have at most.
  size_t most_batch_requests() const {
    return static_cast<size_t>(std::min(std::max<int64_t>(limit_rows(), 1), waiting_requests()));
  }

  FairShare share;
  bool is_competing = false;  // when a worker was last free
  // Position in the scheduler's list of queues that have something waiting; -1 when absent.
  int active_index = -1;

 private:
  struct Plan;  // of the batch being filled

  Lane* LaneFor(const Request& request, int level, bool is_delayed);
  const Lane* ReadyLane(int64_t now_ns, bool may_background, BatchDecision* decision,
                        int64_t* look_again_ns) const;
  void Fill(Lane* lane, Plan* plan, Batch* batch, std::vector<Request*>* dropped);
  int64_t PartRows(const Request& request, const Plan& plan, int64_t batch_rows) const;
  void Leave(Request* request);
  void CountIn(Request* request);
  void EraseEmptyLanes();
  bool Delay(Request* request);
  QueueFacts Facts(int level, int64_t rows, int64_t now_ns, const SharedLoad& load) const;
  size_t LevelIndex(int level) const;
  double ScaleOf(uint64_t shape_key) const;
  // Rows that a batch of the shape is filled to: a longer one has its knee at fewer.
  int64_t LimitOf(uint64_t shape_key) const;
  // Rows that one request may have in a run.
  int64_t ChunkRows(uint64_t shape_key) const;
  int64_t RowsWithin(int64_t run_ns, uint64_t shape_key) const;
  int64_t NextUnits(const Request& request) const;
  int64_t OwnNs(int64_t rows, const QueueFacts& facts) const;

  QueueRules rules_;
  CostTable* const cost_;
  ShapeCosts shape_costs_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // none is empty between calls
  std::vector<int64_t> requests_by_level_;
  int running_ = 0;
  int64_t rows_above_background_ = 0;
  int64_t earliest_due_ns_ = kNever;  // never later than the true one
  size_t waiting_bytes_ = 0;
  uint64_t ended_runs_ = 0;

  // Read without the mutex. A unit is what `limit_rows_` counts: a row, or without batching a request.
  std::unique_ptr<std::atomic<int64_t>[]> rows_by_level_;
  std::unique_ptr<std::atomic<int64_t>[]> next_units_by_level_;  // of the next run of each that waits
  std::atomic<int64_t> waiting_requests_{0};
  std::atomic<int64_t> limit_rows_;
  std::atomic<int64_t> batch_ns_{0};
  std::atomic<int64_t> full_batch_ns_{0};
  std::atomic<int64_t> row_ns_{0};
  std::atomic<int64_t> request_ns_{0};     // without batching, of a request like those that ran; 0: none did
  std::atomic<double> scale_{1};           // of the shape that ran last
  std::atomic<int64_t> busy_until_ns_{0};  // 0: an instance is free
  std::atomic<int64_t> stale_at_ns_{0};    // estimates are old news from then on
  std::atomic<int> hung_runs_{0};
};

}  // namespace sluice
