// ModelVersion: one opened model file and, once started, everything that serving it needs. Made and destroyed
// by the engine; immutable after Start except for counters, so any thread may use it while a request in
// flight keeps it alive.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/model_spec.h"
#include "codec/output_rows.h"
#include "engine/version_stats.h"
#include "run/batch_input.h"
#include "run/load_runner.h"
#include "schedule/cost_table.h"
#include "schedule/version_queue.h"

namespace sluice {

enum class Execution { kAuto, kInline, kWorker };

struct StartOptions {
  ModelSpec spec;
  int64_t max_queue_delay_ns = 0;
  std::vector<int64_t> preferred_rows;
  bool may_batch = true;
  int instance_count = 1;
  Execution execution = Execution::kAuto;
  int64_t longest_ns = 0;  // 0: the engine's
};

// The memory of one run at a time.
struct RunPlace {
  RunPlace(Runner* runner, const ModelSpec& spec) : input(spec), slot(runner->NewSlot(spec)) {}

  BatchInput input;
  std::unique_ptr<RunSlot> slot;
  std::vector<RunTensor> outputs;
  std::vector<OutputRows> rows;
  RunTimes times;
};

class ModelVersion {
 public:
  explicit ModelVersion(std::unique_ptr<Runner> model) : model_(std::move(model)) {}

  const ModelSignature& signature() const { return model_->signature(); }
  const LoadFacts& load_facts() const { return model_->load_facts(); }

  // Loader thread: warms up and decides how the version runs. Once.
  Status Start(StartOptions options, int64_t inline_budget_ns, int64_t longest_ns);
  bool is_started() const { return queue_ != nullptr; }

  const ModelSpec& spec() const { return spec_; }
  const CostTable& cost() const { return cost_; }
  const BatchRules& rules() const { return rules_; }
  bool may_batch() const { return may_batch_; }
  VersionQueue* queue() { return queue_.get(); }
  int64_t warm_up_ns() const { return warm_up_ns_; }
  // From submit to answer.
  int64_t longest_ns() const { return longest_ns_; }

  bool runs_inline() const { return runs_inline_.load(std::memory_order_relaxed); }
  // After an inline run: a version that keeps overrunning the loop's budget goes to the workers for good.
  void NoteInlineRun(int64_t run_ns);

  std::unique_ptr<RunPlace> TakePlace();
  void ReturnPlace(std::unique_ptr<RunPlace> place);

  void SetLastFailure(const std::string& message);
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
  std::unique_ptr<Runner> model_;
  ModelSpec spec_;
  CostTable cost_;
  BatchRules rules_;
  bool may_batch_ = false;
  bool is_pinned_inline_ = false;
  int64_t inline_budget_ns_ = 0;
  int64_t warm_up_ns_ = 0;
  int64_t longest_ns_ = 0;
  std::unique_ptr<VersionQueue> queue_;
  std::atomic<bool> runs_inline_{false};
  std::atomic<int> inline_overruns_{0};
  std::atomic<int64_t> in_flight_{0};  // holds, too
  std::atomic<int64_t> holds_{0};
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<RunPlace>> places_;
  std::string last_failure_;
};

}  // namespace sluice
