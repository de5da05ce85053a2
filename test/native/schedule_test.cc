// The scheduler without a clock, and but for one test without threads: every instant is given.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "schedule/admission.h"
#include "schedule/cost_table.h"
#include "schedule/execution_choice.h"
#include "schedule/policy.h"

#include "check.h"
#include "schedule_bench.h"

namespace sluice {
namespace {

using namespace test;

TEST("an idle worker takes what waits at once when no delay is configured") {
  const BatchRules rules{16, 0, {}};
  const BatchDecision decision = DecideBatch(rules, {1, 0}, 0);
  CHECK(decision.may_run);
  CHECK_EQ(decision.take_rows, 16);
}

TEST("a configured delay holds a lane until its oldest request has waited that long") {
  const BatchRules rules{16, 5 * kMs, {}};
  const BatchDecision early = DecideBatch(rules, {3, 100 * kMs}, 101 * kMs);
  CHECK(!early.may_run);
  CHECK_EQ(early.look_again_ns, 105 * kMs);
  CHECK(DecideBatch(rules, {3, 100 * kMs}, 105 * kMs).may_run);
  CHECK(DecideBatch(rules, {16, 100 * kMs}, 101 * kMs).may_run);
}

TEST("a preferred size ends the delay and bounds the batch") {
  const BatchRules rules{16, 5 * kMs, {4, 8}};
  const BatchDecision decision = DecideBatch(rules, {9, 0}, kMs);
  CHECK(decision.may_run);
  CHECK_EQ(decision.take_rows, 8);
  CHECK(!DecideBatch(rules, {3, 0}, kMs).may_run);
}

TEST("the knee is the smallest batch near the best rate, and times between points are interpolated") {
  CostTable table;
  table.Add(1, 1000);
  table.Add(4, 1100);
  table.Add(16, 2000);
  table.Add(64, 8000);
  CHECK_EQ(table.KneeRows(64), 16);
  CHECK_EQ(table.EstimateNs(10), 1550);
  CHECK_EQ(CostTable().KneeRows(7), 7);
}

TEST("a batch is filled to the limit, in order, and a short request is never cut") {
  Request a, b, c;
  Bench bench(Rules(4));
  CHECK(bench.Submit(&a, 2, 1) && bench.Submit(&b, 1, 2) && bench.Submit(&c, 2, 3));
  CHECK(bench.Pick(10));
  CHECK_EQ(bench.run.batch.rows, 3);
  CHECK(bench.Batch() == (Requests{&a, &b}));
  // One run at a time: what is left waits for the end of it.
  Run second;
  CHECK(!bench.scheduler.Pick(10, &second, &bench.look_again_ns));
  bench.scheduler.Ended(&bench.run, 20);
  CHECK(bench.run.finished == (Requests{&a, &b}));
  CHECK(bench.Pick(20) && bench.Batch() == Requests{&c});
}

TEST("requests of different shapes wait in lanes of their own and do not close each other's batches") {
  Request a, b, c, d;
  for (Request* request : {&a, &b, &c, &d}) SetShape(request, request == &a || request == &c ? 5 : 9);
  Bench bench(Rules(8));
  int64_t now_ns = 0;
  for (Request* request : {&a, &b, &c, &d}) CHECK(bench.Submit(request, 1, ++now_ns));
  CHECK(bench.Pick(10) && bench.Batch() == (Requests{&a, &c}));
  bench.scheduler.Ended(&bench.run, 20);
  CHECK(bench.Pick(20) && bench.Batch() == (Requests{&b, &d}));
  CHECK(bench.queue.is_empty());
}

TEST("where answers keep the order of arrival, another shape closes the batch") {
  Request a, b, c;
  for (Request* request : {&a, &b, &c}) SetShape(request, request == &b ? 9 : 5);
  QueueRules rules = Rules(8);
  rules.keeps_order = true;
  Bench bench(rules, 2);
  int64_t now_ns = 0;
  for (Request* request : {&a, &b, &c}) CHECK(bench.Submit(request, 1, ++now_ns));
  for (Request* request : {&a, &b, &c}) {
    CHECK(bench.Pick(10) && bench.Batch() == Requests{request});
    bench.scheduler.Ended(&bench.run, 20);
  }
}

TEST("what a shape costs beside the table is known before its first run where warm-up measured it") {
  CostTable cost;
  cost.Add(1, 1000);
  cost.Add(4, 2000);
  VersionQueue queue(Rules(4), &cost);
  queue.SeedShape(7, 3, 4);
  CHECK_EQ(queue.EstimateNs(4, 7), 6000);
  CHECK_EQ(queue.EstimateNs(4, 8), 0);
}

TEST("a batch of a shape with a knee of its own is filled to that, unless sizes are configured") {
  for (const bool follows_knee : {true, false}) {
    Request a, b, c;
    for (Request* request : {&a, &b, &c}) SetShape(request, 9);
    QueueRules rules = Rules(8);
    rules.follows_knee = follows_knee;
    Bench bench(rules);
    bench.queue.SeedShape(9, 2, 2);
    for (Request* request : {&a, &b, &c}) CHECK(bench.Submit(request, 1, 1));
    CHECK(bench.Pick(10));
    CHECK_EQ(bench.run.batch.rows, follows_knee ? 2 : 3);
  }
}

TEST("equal shape keys with different shapes do not share a run") {
  Request a, b;
  SetShape(&a, 3);
  SetShape(&b, 4);
  b.shape_key = a.shape_key;
  CHECK(!MayShareRun(a, b));
}

TEST("a cancelled request leaves at once and gives its place back") {
  Request a, b;
  Bench bench(Rules(8));
  CHECK(bench.Submit(&a, 3, 1) && bench.Submit(&b, 1, 2));
  CHECK(bench.scheduler.Cancel(&bench.queue, &a));
  CHECK_EQ(bench.queue.waiting_rows(), 1);
  CHECK(!bench.scheduler.Cancel(&bench.queue, &a));
  CHECK(bench.Pick(10) && bench.Batch() == Requests{&b});
  // What runs is not taken back.
  CHECK(!bench.scheduler.Cancel(&bench.queue, &b));
}

TEST("a model without batching runs one request at a time") {
  Request a, b;
  QueueRules rules = Rules(1);
  rules.may_batch = false;
  Bench bench(rules);
  CHECK(bench.Submit(&a, 1, 1) && bench.Submit(&b, 1, 2));
  CHECK(bench.Pick(10) && bench.Batch() == Requests{&a});
}

TEST("closing hands back everything that waited, and refuses what comes") {
  Request a, b, c;
  Bench bench(Rules(1));
  CHECK(bench.Submit(&a, 1, 1) && bench.Submit(&b, 1, 2));
  CHECK(bench.Pick(10));
  CHECK(bench.scheduler.Close() == Requests{&b});
  CHECK(!bench.Submit(&c, 1, 3));
  CHECK(c.drop_code == Code::kDraining);
}

TEST("expired work is never run: it is dropped when a worker looks, and by the sweep when none does") {
  Request a, b, c;
  a.deadline_ns = 5 * kMs;
  c.deadline_ns = 7 * kMs;
  Bench bench(Rules(8));
  CHECK(bench.Submit(&a, 1, 1) && bench.Submit(&b, 1, 2));
  CHECK(bench.Pick(5 * kMs) && bench.Batch() == Requests{&b} && bench.run.dropped == Requests{&a});
  CHECK(a.drop_code == Code::kDeadlinePassed);
  CHECK(bench.Submit(&c, 1, 6 * kMs));
  CHECK(bench.scheduler.WatchDueNs() <= 7 * kMs);
  Sweep sweep;
  bench.scheduler.SweepDue(7 * kMs, &sweep);
  CHECK(sweep.dropped == Requests{&c});
  CHECK(!bench.Submit(&a, 1, 8 * kMs) && a.drop_code == Code::kDeadlinePassed);
}

TEST(
    "the callers of a run that hangs are answered at their deadline, another worker stands in, and the "
    "version tells") {
  Request a, b;
  a.deadline_ns = 300 * kMs;
  Bench bench(Rules(1));
  CHECK(bench.Submit(&a, 1, 0) && bench.Pick(0));
  Sweep sweep;
  bench.scheduler.SweepDue(60 * kMs, &sweep);
  CHECK_EQ(sweep.new_workers, 1);
  bench.scheduler.SweepDue(300 * kMs, &sweep);
  CHECK(bench.early == Requests{&a} && a.early_code == Code::kDeadlinePassed);
  bench.scheduler.SweepDue(2000 * kMs, &sweep);
  CHECK(bench.queue.is_hung());
  CHECK(bench.early.size() == 1);
  CHECK(!bench.Submit(&b, 1, 2000 * kMs) && b.drop_code == Code::kNotReady);
  bench.scheduler.Ended(&bench.run, 3000 * kMs);
  CHECK(bench.run.finished == Requests{&a});
  CHECK(!bench.queue.is_hung());
}

TEST("higher levels go first, lower ones fill the room, the background takes only what nobody wants") {
  Request low, high, background;
  low.priority = 2;
  high.priority = 1;
  background.priority = kBackgroundPriority;
  QueueRules rules = Rules(2);
  rules.levels = 2;
  Bench bench(rules);
  CHECK(bench.Submit(&background, 1, 1) && bench.Submit(&low, 1, 2) && bench.Submit(&high, 1, 3));
  CHECK(bench.Pick(10) && bench.Batch() == (Requests{&high, &low}));
  bench.scheduler.Ended(&bench.run, 20);
  CHECK(bench.Pick(20) && bench.Batch() == Requests{&background});
}

TEST("queue policies: a size, a timeout that refuses, a timeout that delays, an override") {
  Request a, b, c, urgent;
  QueueRules rules = Rules(1);
  rules.levels = 2;
  rules.policies = {{}, {5 * kMs, true, false, 2}, {5 * kMs, false, true, 0}};
  Bench bench(rules);
  a.queue_timeout_ns = 2 * kMs;
  b.queue_timeout_ns = 50 * kMs;  // longer than the default: does not count
  CHECK(bench.Submit(&a, 1, 0) && bench.Submit(&b, 1, 0));
  CHECK(!bench.Submit(&c, 1, 0) && c.drop_code == Code::kQueueFull);
  Sweep sweep;
  bench.scheduler.SweepDue(2 * kMs, &sweep);
  CHECK(sweep.dropped == Requests{&a} && a.drop_code == Code::kQueueFull);
  sweep.dropped.clear();
  bench.scheduler.SweepDue(5 * kMs, &sweep);
  CHECK(sweep.dropped == Requests{&b});
  Request delayed, fresh;
  delayed.priority = 2;
  fresh.priority = 2;
  CHECK(bench.Submit(&delayed, 1, 10 * kMs));
  sweep.dropped.clear();
  bench.scheduler.SweepDue(16 * kMs, &sweep);
  CHECK(sweep.dropped.empty());
  CHECK(bench.Submit(&fresh, 1, 17 * kMs));
  CHECK(bench.Pick(18 * kMs) && bench.Batch() == Requests{&fresh});
  bench.scheduler.Ended(&bench.run, 19 * kMs);
  CHECK(bench.Pick(19 * kMs) && bench.Batch() == Requests{&delayed});
}

TEST("without a policy, the timeout of a request is its deadline") {
  Request a;
  a.queue_timeout_ns = 3 * kMs;
  Bench bench(Rules(1));
  CHECK(bench.Submit(&a, 1, 0));
  Sweep sweep;
  bench.scheduler.SweepDue(3 * kMs, &sweep);
  CHECK(sweep.dropped == Requests{&a} && a.drop_code == Code::kDeadlinePassed);
}

TEST("a long request is run in pieces, and others go in between") {
  Request large, small;
  QueueRules rules = Rules(4);
  rules.may_cut = true;
  Bench bench(rules);
  for (int64_t rows = 1; rows <= 64; rows *= 2) bench.cost.Add(rows, rows * 2 * kMs);
  CHECK(bench.Submit(&large, 10, 1) && bench.Submit(&small, 1, 2));
  CHECK(bench.Pick(10) && bench.Batch() == Requests{&large});
  CHECK_EQ(large.part_rows, 4);
  bench.scheduler.Ended(&bench.run, 20);
  CHECK(bench.run.finished.empty());
  CHECK(bench.Pick(20));
  CHECK(bench.Batch() == (Requests{&small, &large}));
  CHECK_EQ(large.part_rows, 3);
  CHECK_EQ(large.done_rows, 4);
  bench.scheduler.Ended(&bench.run, 30);
  CHECK(bench.run.finished == Requests{&small});
  CHECK(bench.Pick(30) && large.part_rows == 3 && large.done_rows == 7);
  bench.scheduler.Ended(&bench.run, 40);
  CHECK(bench.run.finished == Requests{&large} && large.rows_left() == 0);
}

TEST("a request is admitted when it is predicted to use 0.6 of its time, or is alone and fits") {
  QueueFacts facts;
  facts.limit_rows = 4;
  facts.batch_ns = 10 * kMs;
  facts.own_ns = 4 * kMs;
  facts.rows_ahead = 9;
  CHECK_EQ(PredictNs(facts), 30 * kMs);
  CHECK(MayAdmit(facts, 50 * kMs));
  CHECK(!MayAdmit(facts, 49 * kMs));
  facts.deviation = 0.3;
  CHECK(!MayAdmit(facts, 59 * kMs));
  facts.crowding = 2;
  facts.parallel_runs = 4;
  facts.residual_ns = 1 * kMs;
  CHECK_EQ(PredictNs(facts), 21 * kMs);
  facts.rows_ahead = 0;
  CHECK(MayAdmit(facts, 5 * kMs));
  CHECK(!MayAdmit(facts, 4 * kMs));
  CHECK(MayAdmit(QueueFacts(), 1));
}

TEST("the cost table follows slow and fast times, and one stalled run moves it little") {
  CostTable table;
  table.Add(1, 1000);
  table.Add(8, 2000);
  table.Observe(8, 1'000'000, 1);
  CHECK(table.EstimateNs(8) < 2500);
  for (int i = 0; i < 500; ++i) table.Observe(8, 4000, 1);
  CHECK(table.EstimateNs(8) > 3800 && table.EstimateNs(8) < 4200);
  // The machine became slower for all sizes; the knee is where it was.
  CHECK(table.EstimateNs(1) > 1300);
  CHECK_EQ(table.KneeRows(1), 8);
  CHECK_EQ(table.RowsWithin(table.EstimateNs(4), 8), 4);
}

TEST("auto leaves the loop after many long runs, comes back late, and later each time") {
  ExecutionChoice choice;
  choice.Start(Execution::kAuto, true, 50'000, 100'000);
  CHECK(choice.runs_inline());
  choice.NoteInlineRun(9 * kMs, 0);
  CHECK(choice.runs_inline());
  for (int i = 0; i < 16; ++i) choice.NoteInlineRun(9 * kMs, 0);
  CHECK(!choice.runs_inline());
  for (int i = 0; i < 1000; ++i) choice.NoteWorkerRun(40'000, 999 * kMs);
  CHECK(!choice.runs_inline());
  choice.NoteWorkerRun(40'000, 1000 * kMs);
  CHECK(choice.runs_inline());
  for (int i = 0; i < 16; ++i) choice.NoteInlineRun(9 * kMs, 2000 * kMs);
  for (int i = 0; i < 1000; ++i) choice.NoteWorkerRun(40'000, 3999 * kMs);
  CHECK(!choice.runs_inline());
  for (int i = 0; i < 300; ++i) choice.NoteWorkerRun(60'000, 9000 * kMs);
  CHECK(!choice.runs_inline());
  ExecutionChoice late;
  late.Start(Execution::kAuto, true, 50'000, 100'000);
  late.NoteInlineRun(49 * kMs, 0);
  CHECK(late.runs_inline());
  late.NoteInlineRun(50 * kMs, 0);
  CHECK(!late.runs_inline());
  ExecutionChoice pinned;
  pinned.Start(Execution::kInline, true, 9 * kMs, 100'000);
  for (int i = 0; i < 100; ++i) pinned.NoteInlineRun(9 * kMs, 0);
  CHECK(pinned.runs_inline());
}

TEST("a queue that keeps its order begins no run before the answers of the last one are on their way") {
  QueueRules rules = Rules(1);
  rules.keeps_order = true;
  Bench bench(rules, 2);
  Request first, second;
  bench.Submit(&first, 1, 0);
  bench.Submit(&second, 1, 0);
  CHECK(bench.Pick(1));
  std::mutex mutex;
  std::condition_variable picked;
  bool has_picked = false, may_pick = false, was_early = false;
  // Another worker, which looks again and again from the moment the run is over.
  std::thread other([&] {
    {
      std::unique_lock<std::mutex> lock(mutex);
      picked.wait(lock, [&] { return may_pick; });
    }
    Run run;
    int64_t look_again_ns = 0;
    while (!bench.scheduler.Pick(2, &run, &look_again_ns)) std::this_thread::yield();
    {
      std::lock_guard<std::mutex> lock(mutex);
      has_picked = true;
      picked.notify_all();
    }
    bench.scheduler.Ended(&run, 3);
  });
  int calls = 0;
  bench.scheduler.Ended(&bench.run, 2, [&] {
    ++calls;
    CHECK(bench.run.finished == Requests{&first});
    std::unique_lock<std::mutex> lock(mutex);
    may_pick = true;
    picked.notify_all();
    was_early = picked.wait_for(lock, std::chrono::milliseconds(20), [&] { return has_picked; });
  });
  other.join();
  CHECK(!was_early);
  CHECK_EQ(calls, 1);
}

}  // namespace
}  // namespace sluice
