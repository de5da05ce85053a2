// What the loop does beside the scheduler when more comes than can be answered: when it rests, and what it
// tells clients of another try. Every instant is given.
#include "engine/loop_rest.h"
#include "schedule/version_queue.h"

#include "check.h"

namespace sluice {
namespace {

constexpr int64_t kMs = 1'000'000;
// Of requests that have so long that it plays no part.
constexpr int64_t kLateMs = 1'000'000;

// Addresses are all that counts.
const ModelVersion* Version(int number) {
  static const char places[4] = {};
  return reinterpret_cast<const ModelVersion*>(&places[number]);
}

TEST("a loop rests once after a tick with refusals, and only where it shares its core") {
  LoopRest rest(2 * kMs);
  CHECK_EQ(rest.TakeNs(1000 * kMs), 0);
  rest.Refused(Version(1), 1000 * kMs, kLateMs * kMs);
  CHECK(rest.has_refused());
  CHECK_EQ(rest.TakeNs(1000 * kMs), 0);  // who else is here is not known yet
  rest.Refused(Version(1), 1100 * kMs, kLateMs * kMs);
  CHECK_EQ(rest.TakeNs(1100 * kMs), 2 * kMs);
  CHECK(!rest.has_refused());
  CHECK_EQ(rest.TakeNs(1101 * kMs), 0);

  LoopRest never(0);
  never.Refused(Version(1), 1000 * kMs, kLateMs * kMs);
  never.Refused(Version(1), 1200 * kMs, kLateMs * kMs);
  CHECK_EQ(never.TakeNs(1200 * kMs), 0);
}

TEST("a loop rests for at most a 32nd of the time that those whom it refused have left") {
  LoopRest rest(2 * kMs);
  const auto refuse = [&rest](int64_t now_ms, int64_t left_ms) {
    rest.Refused(Version(1), now_ms * kMs, (now_ms + left_ms) * kMs);
  };
  refuse(1000, 64);
  CHECK_EQ(rest.TakeNs(1000 * kMs), 0);
  refuse(1200, 64);
  CHECK_EQ(rest.TakeNs(1200 * kMs), 2 * kMs);
  refuse(1201, 65);
  CHECK_EQ(rest.TakeNs(1201 * kMs), 2 * kMs);
  refuse(1202, 1000);
  refuse(1202, 16);  // the one that has least
  refuse(1202, 64);
  CHECK_EQ(rest.TakeNs(1203 * kMs), kMs / 2);
  refuse(1204, 32);  // and of this tick only
  CHECK_EQ(rest.TakeNs(1204 * kMs), kMs);
  refuse(1205, -5);
  CHECK_EQ(rest.TakeNs(1205 * kMs), 0);
  CHECK(!rest.has_refused());
}

TEST("a loop does not rest at the cost of another version's requests") {
  LoopRest rest(kMs);
  rest.Refused(Version(1), 1000 * kMs, kLateMs * kMs);
  rest.Served(Version(1), 1190 * kMs);
  rest.Refused(Version(1), 1200 * kMs, kLateMs * kMs);
  CHECK_EQ(rest.TakeNs(1200 * kMs), kMs);
  rest.Served(Version(2), 1201 * kMs);
  rest.Refused(Version(1), 1300 * kMs, kLateMs * kMs);
  CHECK_EQ(rest.TakeNs(1300 * kMs), 0);
  rest.Refused(Version(1), 1301 * kMs, kLateMs * kMs);
  CHECK_EQ(rest.TakeNs(1301 * kMs), kMs);
  // Two that are crowded are each other's company.
  for (int i = 1; i < 300; ++i) {
    rest.Refused(Version(1 + i % 2), (1400 + i) * kMs, kLateMs * kMs);
    CHECK_EQ(rest.TakeNs((1400 + i) * kMs), 0);
  }
}

TEST("another try is worth making when what waits now is done") {
  CostTable cost;
  cost.Add(1, 10 * kMs);
  cost.Add(4, 40 * kMs);
  QueueRules rules;
  rules.batch.limit_rows = 4;
  rules.most_run_rows = 64;
  VersionQueue queue(rules, &cost);
  SharedLoad load;
  // Estimates are cautious: two mean deviations, 0.05 of the estimate each at first.
  CHECK_EQ(queue.PredictedNs(0, 0, load), 11 * kMs);
  Request requests[8];
  for (Request& request : requests) {
    request.rows = 1;
    request.deadline_ns = 1000 * kMs;
    CHECK(queue.Push(&request, 0, load) == Code::kOk);
  }
  CHECK_EQ(queue.PredictedNs(0, 0, load), 3 * 44 * kMs);
  load.free_worker_ns.store(5 * kMs);
  CHECK_EQ(queue.PredictedNs(0, 0, load), 5 * kMs + 3 * 44 * kMs);
  CHECK_EQ(queue.PredictedNs(0, 5 * kMs, load), 3 * 44 * kMs);

  CostTable nothing;
  VersionQueue unknown(rules, &nothing);
  CHECK_EQ(unknown.PredictedNs(0, 0, load), 0);
}

}  // namespace
}  // namespace sluice
