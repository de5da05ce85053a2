// A scheduler for tests: no threads, no clock, every instant is given. Header only.
#pragma once

#include <vector>

#include "schedule/scheduler.h"

namespace sluice::test {

inline constexpr int64_t kMs = 1'000'000;

inline CostTable TableOf(const std::vector<CostPoint>& points) {
  CostTable table;
  for (const CostPoint& point : points) table.Add(point.rows, point.run_ns);
  return table;
}

// A scheduler with one queue, whose calls need fewer words.
struct Bench {
  explicit Bench(QueueRules rules, int workers = 1, const std::vector<CostPoint>& points = {})
      : cost(TableOf(points)),
        scheduler(workers, [this](Request* request) { early.push_back(request); }),
        queue(std::move(rules), &cost) {}

  // Answers whether it waits.
  bool Submit(Request* request, int64_t rows, int64_t now_ns) {
    return SubmitTo(&queue, request, rows, now_ns);
  }
  bool SubmitTo(VersionQueue* to, Request* request, int64_t rows, int64_t now_ns) {
    request->rows = rows;
    request->submitted_ns = now_ns;
    if (request->deadline_ns == 0) request->deadline_ns = now_ns + 30'000 * kMs;
    std::vector<Request*> refused;
    scheduler.Submit(to, &request, 1, now_ns, &refused);
    return refused.empty();
  }
  bool Pick(int64_t now_ns) {
    look_again_ns = 0;
    return scheduler.Pick(now_ns, &run, &look_again_ns);
  }
  std::vector<Request*> Batch() const { return run.batch.requests; }

  std::vector<Request*> early;
  CostTable cost;
  Scheduler scheduler;
  VersionQueue queue;
  Run run;
  int64_t look_again_ns = 0;
};

using Requests = std::vector<Request*>;

inline QueueRules Rules(int64_t limit_rows) {
  QueueRules rules;
  rules.batch.limit_rows = limit_rows;
  rules.most_run_rows = 64;
  rules.may_cut = false;
  return rules;
}

inline void SetShape(Request* request, int64_t width) {
  request->inputs.resize(1);
  request->inputs[0].dims.Push(width);
  request->shape_key = static_cast<uint64_t>(width);
}

}  // namespace sluice::test
