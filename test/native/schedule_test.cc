// The scheduler without threads and without a clock: every instant is given.
#include "schedule/cost_table.h"
#include "schedule/policy.h"
#include "schedule/scheduler.h"

#include "check.h"

namespace sluice {
namespace {

constexpr int64_t kMs = 1'000'000;

Request* Waiting(Request* request, int64_t rows, int64_t submitted_ns) {
  request->rows = rows;
  request->submitted_ns = submitted_ns;
  return request;
}

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

TEST("a batch is filled to the limit, in order, and never splits a request") {
  Request a, b, c;
  Scheduler scheduler;
  VersionQueue queue({4, 0, {}}, true, 1);
  Request* all[] = {Waiting(&a, 2, 1), Waiting(&b, 1, 2), Waiting(&c, 2, 3)};
  CHECK(scheduler.Submit(&queue, all, 3));
  Assignment first;
  int64_t look_again_ns = 0;
  CHECK(scheduler.Pick(10, &first, &look_again_ns));
  CHECK_EQ(first.batch.rows, 3);
  CHECK_EQ(first.batch.requests.size(), size_t{2});
  CHECK(first.batch.requests[0] == &a && first.batch.requests[1] == &b);
  // One run at a time: what is left waits for the end of it.
  Assignment second;
  CHECK(!scheduler.Pick(10, &second, &look_again_ns));
  scheduler.Ended(&queue);
  CHECK(scheduler.Pick(10, &second, &look_again_ns));
  CHECK(second.batch.requests.size() == 1 && second.batch.requests[0] == &c);
}

TEST("requests of different shapes wait in lanes of their own and do not close each other's batches") {
  Request a, b, c, d;
  for (Request* request : {&a, &b, &c, &d}) {
    request->inputs.resize(1);
    request->inputs[0].dims.Push(request == &a || request == &c ? 5 : 9);
    request->shape_key = request == &a || request == &c ? 50 : 90;
  }
  VersionQueue queue({8, 0, {}}, true, 1);
  for (Request* request : {Waiting(&a, 1, 1), Waiting(&b, 1, 2), Waiting(&c, 1, 3), Waiting(&d, 1, 4)})
    queue.Push(request);
  Batch fives, nines;
  int64_t look_again_ns = 0;
  CHECK(queue.Take(10, &fives, &look_again_ns));
  CHECK(fives.requests.size() == 2 && fives.requests[0] == &a && fives.requests[1] == &c);
  CHECK(queue.Take(10, &nines, &look_again_ns));
  CHECK(nines.requests.size() == 2 && nines.requests[0] == &b && nines.requests[1] == &d);
  CHECK(queue.is_empty());
}

TEST("equal shape keys with different shapes do not share a run") {
  Request a, b;
  for (Request* request : {&a, &b}) {
    request->inputs.resize(1);
    request->shape_key = 77;
  }
  a.inputs[0].dims.Push(3);
  b.inputs[0].dims.Push(4);
  CHECK(!MayShareRun(a, b));
}

TEST("a cancelled request leaves its lane without running") {
  Request a, b;
  a.is_cancelled = true;
  VersionQueue queue({8, 0, {}}, true, 1);
  queue.Push(Waiting(&a, 1, 1));
  queue.Push(Waiting(&b, 1, 2));
  Batch batch;
  int64_t look_again_ns = 0;
  CHECK(queue.Take(10, &batch, &look_again_ns));
  CHECK(batch.cancelled.size() == 1 && batch.cancelled[0] == &a);
  CHECK(batch.requests.size() == 1 && batch.requests[0] == &b);
  CHECK_EQ(batch.rows, 1);
}

TEST("a model without batch dimension runs one request at a time") {
  Request a, b;
  VersionQueue queue({1, 0, {}}, false, 1);
  queue.Push(Waiting(&a, 1, 1));
  queue.Push(Waiting(&b, 1, 2));
  Batch batch;
  int64_t look_again_ns = 0;
  CHECK(queue.Take(10, &batch, &look_again_ns));
  CHECK_EQ(batch.requests.size(), size_t{1});
}

TEST("versions take turns, and closing hands back everything that waited") {
  Request a, b, c;
  Scheduler scheduler;
  VersionQueue one({1, 0, {}}, true, 4), two({1, 0, {}}, true, 4);
  Request* of_one[] = {Waiting(&a, 1, 1), Waiting(&b, 1, 2)};
  Request* of_two[] = {Waiting(&c, 1, 3)};
  scheduler.Submit(&one, of_one, 2);
  scheduler.Submit(&two, of_two, 1);
  Assignment first, second;
  int64_t look_again_ns = 0;
  CHECK(scheduler.Pick(10, &first, &look_again_ns) && first.queue == &one);
  CHECK(scheduler.Pick(10, &second, &look_again_ns) && second.queue == &two);
  const std::vector<Request*> left = scheduler.Close();
  CHECK(left.size() == 1 && left[0] == &b);
  CHECK(!scheduler.Submit(&one, of_one, 1));
}

}  // namespace
}  // namespace sluice
