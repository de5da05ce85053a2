#include "engine/model_version.h"

#include <algorithm>

#include "base/clock.h"
#include "run/warm_up.h"

namespace sluice {

namespace {

constexpr int64_t kWarmUpBudgetNs = 1'500'000'000;

}  // namespace

Status ModelVersion::Start(StartOptions options, int64_t inline_budget_ns, int64_t longest_ns, int workers) {
  spec_ = std::move(options.spec);
  longest_ns_ = options.longest_ns > 0 ? options.longest_ns : longest_ns;

  const int64_t begin_ns = NowNs();
  auto place = std::make_unique<RunPlace>(model_.get(), spec_);
  cost_ = WarmUp(spec_, place->slot.get(), &place->input, kWarmUpBudgetNs);
  ReturnPlace(std::move(place));
  warm_up_ns_ = NowNs() - begin_ns;

  QueueRules rules = std::move(options.queue);
  rules.display = spec_.display;
  rules.most_run_rows = spec_.has_batch_dim() ? spec_.max_batch_rows : 1;
  rules.may_batch = rules.may_batch && spec_.has_batch_dim();
  rules.may_cut = spec_.has_batch_dim() && (rules.may_batch || spec_.may_exceed_batch);
  // Without a word about instances every worker may run the version.
  if (rules.instance_count <= 0) rules.instance_count = workers;
  if (rules.keeps_order) rules.instance_count = 1;
  BatchRules& batch = rules.batch;
  if (rules.may_batch) {
    std::sort(batch.preferred_rows.begin(), batch.preferred_rows.end());
    batch.limit_rows = cost_.KneeRows(spec_.max_batch_rows);
    rules.follows_knee = batch.preferred_rows.empty();
    // A configured size above the knee is an order, not a measurement.
    if (!rules.follows_knee) {
      batch.limit_rows =
          std::max(batch.limit_rows, std::min(batch.preferred_rows.back(), spec_.max_batch_rows));
    }
  } else {
    batch = BatchRules();
  }
  // A lane that waits for company, or keeps an order across ticks, has its place with the workers.
  const bool may_run_inline = batch.max_queue_delay_ns == 0 && !rules.keeps_order;
  const int64_t full_batch_ns = cost_.EstimateNs(batch.limit_rows);
  choice_.Start(options.execution, may_run_inline || options.execution == Execution::kInline, full_batch_ns,
                inline_budget_ns);
  queue_ = std::make_unique<VersionQueue>(std::move(rules), &cost_);
  return Status();
}

void ModelVersion::NoteInlineRun(const Batch& batch, int64_t run_ns, int64_t now_ns) {
  choice_.NoteInlineRun(run_ns, now_ns);
  if (batch.requests[0]->shape_key == 0) cost_.Observe(batch.rows, run_ns, 1);
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
