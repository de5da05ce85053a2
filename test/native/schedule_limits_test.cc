// What a version's batches, pieces and predictions are measured by. No threads, every instant is given.
#include "check.h"
#include "schedule_bench.h"

namespace sluice {
namespace {

using namespace test;

TEST("a lane that waits for company is full at the knee of its own shape") {
  Request a, b;
  for (Request* request : {&a, &b}) SetShape(request, 9);
  QueueRules rules = Rules(8);
  rules.follows_knee = true;
  rules.batch.max_queue_delay_ns = 10 * kMs;
  Bench bench(rules);
  bench.queue.SeedShape(9, 2, 2);
  CHECK(bench.Submit(&a, 1, 0));
  CHECK(!bench.Pick(1));
  CHECK(bench.Submit(&b, 1, 2));
  CHECK(bench.Pick(3) && bench.Batch() == (Requests{&a, &b}));
  CHECK(bench.run.batch.release == Release::kFull);
}

TEST("a long request is cut at the knee of its own shape") {
  Request large;
  SetShape(&large, 9);
  QueueRules rules = Rules(32);
  rules.follows_knee = true;
  rules.may_cut = true;
  Bench bench(rules, 1, {{1, kMs}, {32, 32 * kMs}});
  bench.queue.SeedShape(9, 4, 4);
  CHECK(bench.Submit(&large, 20, 0) && bench.Pick(1));
  CHECK_EQ(large.part_rows, 4);
}

TEST("without batching, a request that may be split is run in pieces of the model's maximum") {
  Request large;
  QueueRules rules;
  rules.may_batch = false;
  rules.most_run_rows = 8;
  Bench bench(rules, 1, {{1, 10 * kMs}, {8, 12 * kMs}});
  CHECK(bench.Submit(&large, 20, 0));
  for (const int64_t rows : {8, 8, 4}) {
    CHECK(bench.Pick(1));
    CHECK_EQ(large.part_rows, rows);
    bench.scheduler.Ended(&bench.run, 2);
  }
  CHECK(bench.run.finished == Requests{&large});
}

TEST("without batching, a request is predicted by its own run and one run for each that waits") {
  Request first, own, others[4];
  QueueRules rules;
  rules.may_batch = false;
  rules.may_cut = false;
  rules.most_run_rows = 8;
  Bench bench(rules, 1, {{1, 10 * kMs}, {8, 12 * kMs}});
  CHECK(bench.Submit(&first, 8, 0) && bench.Pick(0));
  bench.scheduler.Ended(&bench.run, 12 * kMs);
  own.deadline_ns = 32 * kMs;
  CHECK(bench.Submit(&own, 8, 12 * kMs));
  if (!bench.Pick(12 * kMs)) return;
  bench.scheduler.Ended(&bench.run, 24 * kMs);
  for (Request& request : others) CHECK(bench.Submit(&request, 8, 24 * kMs));
  // Four runs of 12 ms and its own, with a margin for how much runs differ.
  const int64_t predicted_ns = bench.queue.PredictedNs(0, 24 * kMs, bench.scheduler.load());
  CHECK(predicted_ns >= 60 * kMs && predicted_ns < 70 * kMs);
}

TEST("the pieces of a long request refuse nobody whom they let past") {
  Request large, small, second;
  QueueRules rules = Rules(4);
  rules.may_cut = true;
  Bench bench(rules, 1, {{1, 2 * kMs}, {4, 8 * kMs}, {64, 128 * kMs}});
  CHECK(bench.Submit(&large, 4000, 0));
  small.deadline_ns = 100 * kMs;
  CHECK(bench.Submit(&small, 1, 1));
  // One that is long itself takes turns with it to the end.
  second.deadline_ns = 10'000 * kMs;
  CHECK(!bench.Submit(&second, 1000, 2));
  CHECK(bench.Pick(2) && bench.Batch() == Requests{&large});
  bench.scheduler.Ended(&bench.run, 8 * kMs);
  CHECK(bench.Pick(8 * kMs) && bench.Batch() == (Requests{&small, &large}));
  bench.scheduler.Ended(&bench.run, 16 * kMs);
  CHECK(bench.scheduler.Cancel(&bench.queue, &large));
  // Nothing is left behind of what it counted for.
  CHECK_EQ(bench.queue.PredictedNs(0, 16 * kMs, bench.scheduler.load()),
           bench.queue.PredictedNs(0, 20'000 * kMs, bench.scheduler.load()));
  CHECK(bench.queue.PredictedNs(0, 16 * kMs, bench.scheduler.load()) < 4 * kMs);
}

TEST("where answers keep their order, all pieces of a long request are ahead") {
  Request large, small;
  QueueRules rules = Rules(4);
  rules.may_cut = true;
  rules.keeps_order = true;
  Bench bench(rules, 1, {{1, 2 * kMs}, {4, 8 * kMs}, {64, 128 * kMs}});
  CHECK(bench.Submit(&large, 4000, 0));
  small.deadline_ns = 100 * kMs;
  CHECK(!bench.Submit(&small, 1, 1));
}

TEST("an instance whose run hangs counts as lost in what is predicted") {
  Request hung, others[8];
  QueueRules rules = Rules(4);
  rules.instance_count = 2;
  Bench bench(rules, 2, {{1, 10 * kMs}, {4, 40 * kMs}});
  CHECK(bench.Submit(&hung, 1, 0) && bench.Pick(0));
  const int64_t late_ns = 2000 * kMs;
  for (Request& request : others) CHECK(bench.Submit(&request, 1, late_ns));
  CHECK_EQ(bench.queue.PredictedNs(0, late_ns, bench.scheduler.load()), (2 * 44 / 2 + 44) * kMs);
  Sweep sweep;
  bench.scheduler.SweepDue(late_ns, &sweep);
  CHECK_EQ(bench.queue.hung_runs(), 1);
  CHECK_EQ(bench.queue.PredictedNs(0, late_ns, bench.scheduler.load()), (2 * 44 + 44) * kMs);
}

TEST("a version is free again when the first of its runs ends, not the one that began last") {
  Request a, b;
  QueueRules rules = Rules(1);
  rules.instance_count = 2;
  Bench bench(rules, 2, {{1, 10 * kMs}});
  Run second;
  CHECK(bench.Submit(&a, 1, 0) && bench.Pick(0));
  CHECK(bench.Submit(&b, 1, 9 * kMs) && bench.scheduler.Pick(9 * kMs, &second, &bench.look_again_ns));
  CHECK_EQ(bench.queue.PredictedNs(0, 9 * kMs, bench.scheduler.load()), (1 + 11) * kMs);
}

}  // namespace
}  // namespace sluice
