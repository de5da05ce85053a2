#include "engine/model_version.h"

#include <algorithm>
#include <new>

#include "base/clock.h"
#include "codec/pad_request.h"
#include "engine/cut_rows.h"
#include "run/warm_up.h"

namespace sluice {

namespace {

constexpr int64_t kWarmUpBudgetNs = 1'500'000'000;

// As those of a request whose run has the `bucket`-th of each rule's lengths, which all rules must have.
std::vector<RequestInput> InputsAt(const ModelSpec& spec, size_t bucket) {
  std::vector<RequestInput> inputs(spec.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& tensor = spec.inputs[i];
    for (const int64_t dim : tensor.model_dims) inputs[i].dims.Push(dim);
    if (tensor.pad_rule != kNoRule)
      inputs[i].dims.at[tensor.pad_dim] = spec.padding[static_cast<size_t>(tensor.pad_rule)].lengths[bucket];
  }
  return inputs;
}

// Whether outputs that are to be cut back are as long as the padded inputs. A model that refuses zeros shows
// it when it serves.
Status TryLengths(const ModelSpec& spec, RunPlace* place) {
  if (!spec.has_padding()) return Status();
  const Status ran = place->slot->Run(place->input.Zeros(1, 0), 1, &place->outputs);
  if (!ran.ok()) return Status();
  Request request;
  request.inputs = InputsAt(spec, 0);
  const Status status = CheckOutputs(spec, place->outputs, 1, request);
  place->slot->Release();
  return status.ok() ? status : Status(Code::kModelInvalid, status.message());
}

// What runs of one table cost beside those of another, over the sizes that both have; 0: unknown.
double ScaleBetween(const std::vector<CostPoint>& points, const std::vector<CostPoint>& base) {
  double sum = 0, base_sum = 0;
  for (size_t i = 0; i < std::min(points.size(), base.size()); ++i) {
    sum += static_cast<double>(points[i].run_ns);
    base_sum += static_cast<double>(base[i].run_ns);
  }
  return base_sum > 0 ? sum / base_sum : 0;
}

}  // namespace

size_t RunPlace::KeptBytes() const {
  size_t bytes = input.KeptBytes() + slot->KeptBytes();
  for (const PaddedOutput& output : padded) bytes += output.KeptBytes();
  return bytes;
}

Status ModelVersion::Start(StartOptions options, int64_t inline_budget_ns, int64_t longest_ns, int workers) {
  spec_ = std::move(options.spec);
  longest_ns_ = options.longest_ns > 0 ? options.longest_ns : longest_ns;

  const int64_t begin_ns = NowNs();
  auto place = TakePlace();
  const ReadClock run_clock = model_->load_facts().runs_on_caller ? ThreadCpuNs : NowNs;
  const std::vector<CostTable> tables =
      WarmUp(spec_, place->slot.get(), &place->input, {kWarmUpBudgetNs, options.warm_up_rows}, run_clock);
  cost_ = tables[0];
  if (Status status = TryLengths(spec_, place.get()); !status.ok()) return status;
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
  queue_ = std::make_unique<VersionQueue>(std::move(rules), &cost_);
  SeedLengths(tables);
  choice_.Start(options.execution, may_run_inline || options.execution == Execution::kInline, FullBatchNs(),
                inline_budget_ns);
  return Status();
}

void ModelVersion::SeedLengths(const std::vector<CostTable>& tables) {
  if (!spec_.has_padding() || MeasuredLengths(spec_) != spec_.padding[0].lengths.size()) return;
  for (size_t bucket = 0; bucket < tables.size(); ++bucket) {
    const uint64_t shape_key = InputShapeKey(spec_, InputsAt(spec_, bucket));
    const double scale = ScaleBetween(tables[bucket].points(), tables[0].points());
    int64_t limit_rows = queue_->limit_rows();
    if (scale > 0) {
      const int64_t knee_rows = tables[bucket].KneeRows(spec_.max_batch_rows);
      queue_->SeedShape(shape_key, scale, knee_rows);
      if (queue_->rules().follows_knee) limit_rows = knee_rows;
    }
    length_costs_.push_back({spec_.padding[0].lengths[bucket], shape_key, limit_rows, tables[bucket]});
  }
}

const LengthCost* ModelVersion::LengthOf(uint64_t shape_key) const {
  for (const LengthCost& cost : length_costs_) {
    if (cost.shape_key == shape_key) return &cost;
  }
  return nullptr;
}

int64_t ModelVersion::LimitRows(uint64_t shape_key) const {
  const LengthCost* length = LengthOf(shape_key);
  return length == nullptr ? limit_rows() : std::min(length->limit_rows, limit_rows());
}

int64_t ModelVersion::EstimateNs(int64_t rows, uint64_t shape_key) const {
  const LengthCost* length = LengthOf(shape_key);
  return (length == nullptr ? cost_ : length->table).EstimateNs(rows);
}

int64_t ModelVersion::FullBatchNs() const {
  int64_t most_ns = cost_.EstimateNs(limit_rows());
  for (const LengthCost& cost : length_costs_)
    most_ns = std::max(most_ns, cost.table.EstimateNs(LimitRows(cost.shape_key)));
  return most_ns;
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
    places_.reserve(made_places_ + 1);
    ++made_places_;
  }
  auto place = std::make_unique<RunPlace>(model_.get(), spec_);
  CountSlabs(place.get());
  return place;
}

void ModelVersion::ReturnPlace(std::unique_ptr<RunPlace> place) {
  place->slot->Release();
  CountSlabs(place.get());
  std::lock_guard<std::mutex> lock(mutex_);
  places_.push_back(std::move(place));
}

void ModelVersion::CountSlabs(RunPlace* place) {
  const size_t bytes = place->KeptBytes();
  if (bytes == place->counted_bytes) return;
  // Wraps where memory was given back, as unsigned sums do.
  slab_bytes_.fetch_add(bytes - place->counted_bytes, std::memory_order_relaxed);
  place->counted_bytes = bytes;
}

void ModelVersion::SetLastFailure(std::string_view message) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  try {
    last_failure_ = message;
  } catch (const std::bad_alloc&) {
  }
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
