#include "engine/model_version.h"

#include <algorithm>

#include "base/clock.h"
#include "run/warm_up.h"

namespace sluice {

namespace {

constexpr int64_t kWarmUpBudgetNs = 1'500'000'000;
// One long run may be the machine's doing; this many more than short ones are the model's.
constexpr int kTooManyOverruns = 16;

}  // namespace

Status ModelVersion::Start(StartOptions options, int64_t inline_budget_ns, int64_t longest_ns) {
  spec_ = std::move(options.spec);
  may_batch_ = options.may_batch && spec_.has_batch_dim();
  inline_budget_ns_ = inline_budget_ns;
  longest_ns_ = options.longest_ns > 0 ? options.longest_ns : longest_ns;

  const int64_t begin_ns = NowNs();
  auto place = std::make_unique<RunPlace>(model_.get(), spec_);
  cost_ = WarmUp(spec_, place->slot.get(), &place->input, kWarmUpBudgetNs);
  ReturnPlace(std::move(place));
  warm_up_ns_ = NowNs() - begin_ns;

  rules_.limit_rows = may_batch_ ? cost_.KneeRows(spec_.max_batch_rows) : 1;
  rules_.max_queue_delay_ns = may_batch_ ? options.max_queue_delay_ns : 0;
  rules_.preferred_rows = options.preferred_rows;
  std::sort(rules_.preferred_rows.begin(), rules_.preferred_rows.end());
  // A configured size above the knee is an order, not a measurement.
  if (may_batch_ && !rules_.preferred_rows.empty()) {
    rules_.limit_rows =
        std::max(rules_.limit_rows, std::min(rules_.preferred_rows.back(), spec_.max_batch_rows));
  }

  const bool is_quick = !cost_.empty() && cost_.EstimateNs(rules_.limit_rows) <= inline_budget_ns;
  is_pinned_inline_ = options.execution == Execution::kInline;
  runs_inline_ = is_pinned_inline_ ||
                 (options.execution == Execution::kAuto && is_quick && rules_.max_queue_delay_ns == 0);
  queue_ = std::make_unique<VersionQueue>(rules_, may_batch_, std::max(options.instance_count, 1));
  return Status();
}

void ModelVersion::NoteInlineRun(int64_t run_ns) {
  if (is_pinned_inline_) return;
  if (run_ns <= 2 * inline_budget_ns_) {
    if (inline_overruns_.load(std::memory_order_relaxed) > 0)
      inline_overruns_.fetch_sub(1, std::memory_order_relaxed);
  } else if (inline_overruns_.fetch_add(1, std::memory_order_relaxed) + 1 >= kTooManyOverruns) {
    runs_inline_.store(false, std::memory_order_relaxed);
  }
}

std::unique_ptr<RunPlace> ModelVersion::TakePlace() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!places_.empty()) {
      auto place = std::move(places_.back());
      places_.pop_back();
      return place;
    }
  }
  return std::make_unique<RunPlace>(model_.get(), spec_);
}

void ModelVersion::ReturnPlace(std::unique_ptr<RunPlace> place) {
  place->slot->Release();
  std::lock_guard<std::mutex> lock(mutex_);
  places_.push_back(std::move(place));
}

void ModelVersion::SetLastFailure(const std::string& message) {
  std::lock_guard<std::mutex> lock(mutex_);
  last_failure_ = message;
}

std::string ModelVersion::LastFailure() {
  std::lock_guard<std::mutex> lock(mutex_);
  return last_failure_;
}

void ModelVersion::HandedOut(int64_t count) {
  if (count == 0) return;
  if (in_flight_.fetch_sub(count, std::memory_order_acq_rel) == count) in_flight_.notify_all();
}

void ModelVersion::WaitUntilIdle() {
  for (int64_t left = in_flight_.load(std::memory_order_acquire); left != 0;
       left = in_flight_.load(std::memory_order_acquire)) {
    in_flight_.wait(left);
  }
}

}  // namespace sluice
