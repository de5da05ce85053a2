// ModelVersion: one opened model file and, once started, everything that serving it needs. Made and destroyed
// by the engine; immutable after Start except for counters, so any thread may use it while a request in
// flight keeps it alive.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/model_spec.h"
#include "codec/output_rows.h"
#include "engine/cut_padding.h"
#include "engine/version_stats.h"
#include "run/batch_input.h"
#include "run/load_runner.h"
#include "schedule/cost_table.h"
#include "schedule/execution_choice.h"
#include "schedule/version_queue.h"

namespace sluice {

struct StartOptions {
  ModelSpec spec;
  // Of the queue, what the configuration says; warm-up adds the rest.
  QueueRules queue;
  Execution execution = Execution::kAuto;
  int64_t longest_ns = 0;    // 0: the engine's
  int64_t warm_up_rows = 0;  // of the largest batch that warm-up makes; 0: the model's maximum
};

// Runs of one length of a padding rule.
struct LengthCost {
  int64_t length = 0;
  uint64_t shape_key = 0;
  int64_t limit_rows = 1;  // that a batch of it is filled to
  CostTable table;
};

// The memory of one run at a time.
struct RunPlace {
  RunPlace(Runner* runner, const ModelSpec& spec) : input(spec), slot(runner->NewSlot(spec)) {}
  size_t KeptBytes() const;

  BatchInput input;
  std::unique_ptr<RunSlot> slot;
  std::vector<RunTensor> outputs;
  std::vector<OutputRows> rows;
  std::vector<PaddedOutput> padded;  // empty without padding rules
  RunTimes times;
  size_t counted_bytes = 0;  // its part of the version's slabs
};

class ModelVersion {
 public:
  explicit ModelVersion(std::unique_ptr<Runner> model) : model_(std::move(model)) {}

  const ModelSignature& signature() const { return model_->signature(); }
  const LoadFacts& load_facts() const { return model_->load_facts(); }

  // Loader thread: warms up and decides how the version runs. Once.
  Status Start(StartOptions options, int64_t inline_budget_ns, int64_t longest_ns, int workers);
  bool is_started() const { return queue_ != nullptr; }

  const ModelSpec& spec() const { return spec_; }
  // Of the shortest padded length, where there is a padding rule.
  const CostTable& cost() const { return cost_; }
  // What warm-up measured for each length of the padding rule; empty where there is none.
  const std::vector<LengthCost>& length_costs() const { return length_costs_; }
  bool may_batch() const { return queue_->rules().may_batch; }
  // Rows that a batch is filled to at most, and at one shape.
  int64_t limit_rows() const { return queue_->limit_rows(); }
  int64_t LimitRows(uint64_t shape_key) const;
  int64_t EstimateNs(int64_t rows, uint64_t shape_key) const;
  VersionQueue* queue() const { return queue_.get(); }
  int64_t warm_up_ns() const { return warm_up_ns_; }
  // From submit to answer.
  int64_t longest_ns() const { return longest_ns_; }

  bool runs_inline() const { return choice_.runs_inline(); }
  // After a run on the loop.
  void NoteInlineRun(const Batch& batch, int64_t run_ns, int64_t now_ns);
  // After a run of a worker.
  void NoteWorkerRun(int64_t now_ns) { choice_.NoteWorkerRun(queue_->full_batch_ns(), now_ns); }

  // May throw; every place that was taken can be returned.
  std::unique_ptr<RunPlace> TakePlace();
  void ReturnPlace(std::unique_ptr<RunPlace> place);
  // Memory of the batches of all places, as of when each was last returned.
  size_t slab_bytes() const { return slab_bytes_.load(std::memory_order_relaxed); }
  // See Runner.
  int64_t ArenaBytes() const { return model_->ArenaBytes(); }

  // Where memory for it is missing, the one before stays.
  void SetLastFailure(std::string_view message) noexcept;
  std::string LastFailure();

  // Requests accepted and not yet handed out by their loop. The version may be destroyed when it is zero and
  // nothing more is submitted.
  void Accepted() {
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    stats.Accepted();
  }
  // Accepted a moment ago, and refused after all.
  void Withdrawn() {
    stats.Withdrawn();
    HandedOut(1);
  }
  void HandedOut(int64_t count);
  // Keeps the version without a request.
  void Hold() {
    holds_.fetch_add(1, std::memory_order_relaxed);
    in_flight_.fetch_add(1, std::memory_order_relaxed);
  }
  // The version may be gone when this returns.
  void LetGo() {
    holds_.fetch_sub(1, std::memory_order_relaxed);
    HandedOut(1);
  }
  void WaitUntilIdle();
  int64_t in_flight() const {
    return in_flight_.load(std::memory_order_relaxed) - holds_.load(std::memory_order_relaxed);
  }

  VersionStats stats;

 private:
  // The tables of warm-up, the shortest length first.
  void SeedLengths(const std::vector<CostTable>& tables);
  // Of the length that costs most.
  int64_t FullBatchNs() const;
  const LengthCost* LengthOf(uint64_t shape_key) const;
  void CountSlabs(RunPlace* place);

  std::unique_ptr<Runner> model_;
  ModelSpec spec_;
  CostTable cost_;
  std::vector<LengthCost> length_costs_;
  ExecutionChoice choice_;
  int64_t warm_up_ns_ = 0;
  int64_t longest_ns_ = 0;
  std::unique_ptr<VersionQueue> queue_;
  std::atomic<int64_t> in_flight_{0};  // holds, too
  std::atomic<int64_t> holds_{0};
  std::atomic<size_t> slab_bytes_{0};
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<RunPlace>> places_;
  size_t made_places_ = 0;  // `places_` has room for all of them
  std::string last_failure_;
};

}  // namespace sluice
