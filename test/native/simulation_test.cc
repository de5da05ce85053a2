// The short form of the simulation, and loads whose outcome is known from the arithmetic of queues.
#include <algorithm>

#include "check.h"
#include "simulation/schedules.h"
#include "simulation/world.h"

namespace sluice::test {
namespace {

TEST("random schedules break no promise of the scheduler") {
  ScheduleTotals totals;
  std::string failure;
  uint64_t seed = 1;
  for (; seed <= 10'000 && failure.empty(); ++seed) failure = RunSchedule(seed, &totals);
  if (!failure.empty()) failure += ", seed " + std::to_string(seed - 1);
  CHECK_EQ(failure, "");
  // Schedules that only refuse would break no promise either.
  CHECK(totals.answered > totals.requests / 3);
  CHECK(totals.expired > 0 && totals.refused > 0 && totals.cancelled > 0);
}

struct Curve {
  int64_t fixed_ns;
  int64_t row_ns;
  int64_t RunNs(int64_t rows) const { return fixed_ns + row_ns * rows; }
};

size_t AddModel(World* world, Curve curve, int64_t limit_rows, int noise_percent) {
  QueueRules rules;
  rules.batch.limit_rows = limit_rows;
  rules.most_run_rows = limit_rows;
  CostTable cost;
  for (int64_t rows = 1; rows <= limit_rows; rows *= 2) cost.Add(rows, curve.RunNs(rows));
  return world->AddVersion(rules, cost, [=, random = Random(7)](int64_t rows) mutable {
    return curve.RunNs(rows) * random.Between(100 - noise_percent, 100 + noise_percent) / 100;
  });
}

// Answers in time over what the model can do at best, under `times` its capacity.
double Goodput(Curve curve, int64_t limit_rows, int64_t deadline_ns, double times, int noise_percent) {
  World world(1);
  AddModel(&world, curve, limit_rows, noise_percent);
  const double capacity =
      static_cast<double>(limit_rows) / static_cast<double>(curve.RunNs(limit_rows)) * 1e9;
  Random random(11);
  int64_t at_ns = kS;
  const int64_t end_ns = 6 * kS;
  while (at_ns < end_ns) {
    at_ns += random.GapNs(capacity * times);
    world.AddClient(0, at_ns, 1)->request.deadline_ns = at_ns + deadline_ns;
  }
  world.Play();
  CHECK_EQ(world.failure(), "");
  int64_t good = 0;
  for (const auto& client : world.clients()) {
    const bool counts = client->code == Code::kOk && client->answered_ns <= client->request.deadline_ns;
    good += counts && client->request.submitted_ns >= 2 * kS ? 1 : 0;
  }
  return static_cast<double>(good) / (capacity * 4);
}

TEST("goodput holds under overload, for curves that batch well, a little and not at all") {
  const Curve curves[] = {{850 * kUs, 36 * kUs}, {2 * kMs, 50 * kUs}, {100 * kUs, kMs}};
  const int64_t limits[] = {16, 32, 4};
  const int64_t deadlines[] = {20 * kMs, 20 * kMs, 50 * kMs};
  for (size_t i = 0; i < 3; ++i) {
    for (const double times : {1.5, 2.0, 4.0, 10.0}) {
      const double goodput = Goodput(curves[i], limits[i], deadlines[i], times, 10);
      if (goodput < 0.92) CHECK_EQ(std::to_string(i) + " x" + std::to_string(times), std::to_string(goodput));
    }
  }
}

TEST("a light model beside an overloaded heavy one keeps its latency") {
  const auto p99_ns = [](bool has_heavy) {
    World world(1);
    AddModel(&world, {200 * kUs, 10 * kUs}, 16, 5);
    AddModel(&world, {100 * kUs, kMs}, 32, 5);
    Random random(5);
    for (int64_t at_ns = kS; at_ns < 4 * kS; at_ns += random.GapNs(300)) world.AddClient(0, at_ns, 1);
    for (int64_t at_ns = kS; has_heavy && at_ns < 4 * kS; at_ns += random.GapNs(2000)) {
      world.AddClient(1, at_ns, 1)->request.deadline_ns = at_ns + 100 * kMs;
    }
    world.Play();
    CHECK_EQ(world.failure(), "");
    std::vector<int64_t> taken;
    for (const auto& client : world.clients()) {
      if (client->version == 0) taken.push_back(client->answered_ns - client->request.submitted_ns);
    }
    std::sort(taken.begin(), taken.end());
    return taken[taken.size() * 99 / 100];
  };
  // One run of the heavy model may be under way: a quantum of 4 ms, and what the light one needs.
  CHECK(p99_ns(true) < p99_ns(false) + 6 * kMs);
}

TEST("a request of ten thousand rows does not keep single rows waiting") {
  World world(1);
  AddModel(&world, {200 * kUs, 50 * kUs}, 32, 0);
  world.AddClient(0, kS, 10'000);
  Random random(3);
  for (int64_t at_ns = kS; at_ns < kS + 400 * kMs; at_ns += random.GapNs(500)) world.AddClient(0, at_ns, 1);
  world.Play();
  CHECK_EQ(world.failure(), "");
  for (const auto& client : world.clients()) {
    CHECK(client->code == Code::kOk);
    if (client->request.rows == 1) CHECK(client->answered_ns - client->request.submitted_ns < 10 * kMs);
  }
}

}  // namespace
}  // namespace sluice::test
