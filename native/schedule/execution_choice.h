// ExecutionChoice: whether a version runs on the event loop or in the workers. `auto` moves both ways and
// does not flutter: it leaves the loop after many runs over the budget or one that is late, comes back only
// when full batches have long been well below it, and waits twice as long after each return that did not
// last. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

enum class Execution { kAuto, kInline, kWorker };

class ExecutionChoice {
 public:
  // Before the version serves. `full_batch_ns`: 0 = not known.
  void Start(Execution execution, bool may_run_inline, int64_t full_batch_ns, int64_t budget_ns);

  bool runs_inline() const { return runs_inline_.load(std::memory_order_relaxed); }
  int64_t budget_ns() const { return budget_ns_; }

  void NoteInlineRun(int64_t run_ns, int64_t now_ns);
  void NoteWorkerRun(int64_t full_batch_ns, int64_t now_ns);

 private:
  // One long run may be the machine's doing; this many more than short ones are the model's.
  static constexpr int kTooManyOverruns = 16;
  // But one that every client of the loop has felt is enough.
  static constexpr int64_t kLateNs = 50'000'000;
  static constexpr int kEnoughGoodRuns = 256;
  static constexpr int64_t kFirstExileNs = 1'000'000'000;
  static constexpr int64_t kLongestExileNs = 60'000'000'000;

  bool is_pinned_ = true;
  int64_t budget_ns_ = 0;
  std::atomic<bool> runs_inline_{false};
  std::atomic<int> overruns_{0};
  std::atomic<int> good_runs_{0};
  std::atomic<int64_t> exile_ns_{kFirstExileNs};
  std::atomic<int64_t> may_return_ns_{0};
};

}  // namespace sluice
