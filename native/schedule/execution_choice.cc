#include "schedule/execution_choice.h"

#include <algorithm>

namespace sluice {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
}

void ExecutionChoice::Start(Execution execution, bool may_run_inline, int64_t full_batch_ns,
                            int64_t budget_ns) {
  budget_ns_ = budget_ns;
  is_pinned_ = execution != Execution::kAuto || !may_run_inline;
  const bool is_quick = full_batch_ns > 0 && full_batch_ns <= budget_ns;
  runs_inline_.store(may_run_inline &&
                     (execution == Execution::kInline || (execution == Execution::kAuto && is_quick)));
}

void ExecutionChoice::NoteInlineRun(int64_t run_ns, int64_t now_ns) {
  if (is_pinned_) return;
  if (run_ns <= 2 * budget_ns_) {
    if (overruns_.load(kRelaxed) > 0) overruns_.fetch_sub(1, kRelaxed);
    return;
  }
  if (overruns_.fetch_add(1, kRelaxed) + 1 < kTooManyOverruns && run_ns < kLateNs) return;
  const int64_t exile_ns = exile_ns_.load(kRelaxed);
  may_return_ns_.store(now_ns + exile_ns, kRelaxed);
  exile_ns_.store(std::min(exile_ns * 2, kLongestExileNs), kRelaxed);
  overruns_.store(0, kRelaxed);
  good_runs_.store(0, kRelaxed);
  runs_inline_.store(false, kRelaxed);
}

void ExecutionChoice::NoteWorkerRun(int64_t full_batch_ns, int64_t now_ns) {
  if (is_pinned_ || runs_inline()) return;
  if (full_batch_ns <= 0 || full_batch_ns > budget_ns_ / 2) {
    good_runs_.store(0, kRelaxed);
    return;
  }
  if (good_runs_.fetch_add(1, kRelaxed) + 1 < kEnoughGoodRuns || now_ns < may_return_ns_.load(kRelaxed))
    return;
  runs_inline_.store(true, kRelaxed);
}

}  // namespace sluice
