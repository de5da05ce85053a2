#include "run/warm_up.h"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

// The best of a few runs: what disturbs a run only ever makes it longer.
constexpr int kMostRunsPerSize = 20;
constexpr int kLeastRunsPerSize = 5;
constexpr int64_t kEnoughPerSizeNs = 20'000'000;

CostTable WarmUpLength(int64_t most_rows, RunSlot* slot, BatchInput* input, size_t bucket, int64_t budget_ns,
                       ReadClock run_clock) {
  CostTable table;
  std::vector<RunTensor> outputs;
  const int64_t begin_ns = NowNs();
  for (int64_t rows = 1;; rows = std::min(rows * 2, most_rows)) {
    int64_t best_ns = std::numeric_limits<int64_t>::max();
    const int64_t size_begin_ns = NowNs();
    for (int i = 0; i < kMostRunsPerSize; ++i) {
      const int64_t run_begin_ns = run_clock();
      const Status status = slot->Run(input->Zeros(rows, bucket), rows, &outputs);
      const int64_t run_ns = run_clock() - run_begin_ns;
      slot->Release();
      if (!status.ok()) return table;
      // The first run of a size allocates and is not typical.
      if (i > 0) best_ns = std::min(best_ns, run_ns);
      const int64_t now_ns = NowNs();
      if (i + 1 >= kLeastRunsPerSize && now_ns - size_begin_ns > kEnoughPerSizeNs) break;
      if (i > 0 && now_ns - begin_ns > budget_ns) break;
    }
    table.Add(rows, best_ns);
    if (rows == most_rows || NowNs() - begin_ns > budget_ns) return table;
  }
}

}  // namespace

size_t MeasuredLengths(const ModelSpec& spec) {
  if (spec.padding.size() != 1) return 1;
  for (const TensorSpec& input : spec.inputs) {
    const auto varying =
        std::count_if(input.model_dims.begin(), input.model_dims.end(), [](int64_t dim) { return dim < 0; });
    if (varying > (input.pad_rule == kNoRule ? 0 : 1)) return 1;
  }
  return spec.padding[0].lengths.size();
}

std::vector<CostTable> WarmUp(const ModelSpec& spec, RunSlot* slot, BatchInput* input,
                              const WarmUpLimits& limits, ReadClock run_clock) {
  const size_t count = MeasuredLengths(spec);
  int64_t most_rows = spec.has_batch_dim() ? spec.max_batch_rows : 1;
  if (limits.most_rows > 0) most_rows = std::min(most_rows, limits.most_rows);
  std::vector<CostTable> tables;
  for (size_t bucket = 0; bucket < count; ++bucket)
    tables.push_back(WarmUpLength(most_rows, slot, input, bucket,
                                  limits.budget_ns / static_cast<int64_t>(count), run_clock));
  return tables;
}

}  // namespace sluice
