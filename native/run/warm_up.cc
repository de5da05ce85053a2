#include "run/warm_up.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace sluice {

namespace {

// The best of a few runs: what disturbs a run only ever makes it longer.
constexpr int kMostRunsPerSize = 20;
constexpr int kLeastRunsPerSize = 3;
constexpr int64_t kEnoughPerSizeNs = 20'000'000;

}  // namespace

CostTable WarmUp(const ModelSpec& spec, RunSlot* slot, BatchInput* input, int64_t budget_ns) {
  CostTable table;
  std::vector<RunTensor> outputs;
  const int64_t begin_ns = NowNs();
  const int64_t most_rows = spec.has_batch_dim() ? spec.max_batch_rows : 1;
  for (int64_t rows = 1;; rows = std::min(rows * 2, most_rows)) {
    int64_t best_ns = std::numeric_limits<int64_t>::max();
    const int64_t size_begin_ns = NowNs();
    for (int i = 0; i < kMostRunsPerSize; ++i) {
      const int64_t run_begin_ns = NowNs();
      const Status status = slot->Run(input->Zeros(rows), rows, &outputs);
      const int64_t run_end_ns = NowNs();
      slot->Release();
      if (!status.ok()) return table;
      // The first run of a size allocates and is not typical.
      if (i > 0) best_ns = std::min(best_ns, run_end_ns - run_begin_ns);
      if (i + 1 >= kLeastRunsPerSize && run_end_ns - size_begin_ns > kEnoughPerSizeNs) break;
      if (i > 0 && run_end_ns - begin_ns > budget_ns) break;
    }
    table.Add(rows, best_ns);
    if (rows == most_rows || NowNs() - begin_ns > budget_ns) return table;
  }
}

}  // namespace sluice
