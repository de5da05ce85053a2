#include "simulation/schedules.h"

#include "simulation/world.h"

namespace sluice::test {

namespace {

constexpr int64_t kWidths = 3;

QueueRules RandomRules(Random* random) {
  QueueRules rules;
  rules.display = "model";
  rules.may_batch = random->Chance(85);
  rules.most_run_rows = int64_t{1} << random->Between(0, 6);
  rules.batch.limit_rows = rules.may_batch ? random->Between(1, rules.most_run_rows) : 1;
  rules.follows_knee = rules.may_batch && random->Chance(50);
  rules.may_cut = rules.may_batch ? random->Chance(90) : random->Chance(20);
  rules.instance_count = static_cast<int>(random->Between(1, 3));
  rules.weight = static_cast<double>(random->Between(1, 3));
  if (rules.may_batch && random->Chance(20)) {
    rules.batch.max_queue_delay_ns = random->Between(1, 5) * kMs;
    if (random->Chance(50)) rules.batch.preferred_rows = {random->Between(1, rules.batch.limit_rows)};
  }
  if (random->Chance(15)) {
    rules.keeps_order = true;
    rules.instance_count = 1;
    return rules;
  }
  rules.levels = static_cast<int>(random->Between(1, 3));
  rules.default_level = static_cast<int>(random->Between(1, rules.levels));
  if (random->Chance(30)) {
    rules.policies.resize(static_cast<size_t>(rules.levels) + 1);
    for (LevelPolicy& policy : rules.policies) {
      policy.timeout_ns = random->Chance(50) ? random->Between(1, 20) * kMs : 0;
      policy.may_override = random->Chance(50);
      policy.delays = random->Chance(50);
      policy.most_requests = random->Chance(30) ? random->Between(1, 10) : 0;
    }
  }
  return rules;
}

void AddVersion(World* world, Random* random) {
  const QueueRules rules = RandomRules(random);
  const int64_t fixed_ns = random->Between(10, 3000) * kUs;
  const int64_t row_ns = random->Between(1, 500) * kUs;
  CostTable cost;
  if (random->Chance(90)) {
    // The table is wrong by up to a factor of three, as a table is that nobody runs.
    const int64_t percent = random->Between(33, 300);
    for (int64_t rows = 1; rows <= rules.most_run_rows; rows *= 2)
      cost.Add(rows, (fixed_ns + row_ns * rows) * percent / 100);
  }
  const int hung_percent = random->Chance(20) ? 2 : 0;
  const int slow_percent = random->Chance(30) ? 10 : 0;
  const size_t version =
      world->AddVersion(rules, cost, [=, state = Random(random->Next())](int64_t rows) mutable {
        const int64_t run_ns = fixed_ns + row_ns * rows;
        if (hung_percent > 0 && state.Chance(hung_percent)) return 40 * kS;
        if (slow_percent > 0 && state.Chance(slow_percent)) return run_ns * 10;
        return run_ns * state.Between(90, 120) / 100;
      });
  // As after a warm-up at each padded length, and as wrong as the table.
  if (!random->Chance(40)) return;
  for (uint64_t width = 1; width <= kWidths; ++width)
    world->version(version).queue->SeedShape(width, static_cast<double>(random->Between(33, 300)) / 100,
                                             random->Between(1, rules.most_run_rows));
}

void AddClient(World* world, Random* random, int64_t at_ns) {
  const auto version = static_cast<size_t>(random->Between(0, static_cast<int64_t>(world->versions()) - 1));
  const QueueRules& rules = world->version(version).queue->rules();
  const bool is_long = rules.may_cut && random->Chance(10);
  const int64_t rows = random->Between(1, is_long ? rules.most_run_rows * 4 : rules.most_run_rows);
  Client* client = world->AddClient(version, at_ns, random->Chance(50) ? 1 : rows);
  Request& request = client->request;
  if (random->Chance(70)) request.deadline_ns = at_ns + random->Between(0, 100) * kMs;
  if (random->Chance(20)) request.queue_timeout_ns = random->Between(1, 50) * kMs;
  request.priority = static_cast<uint8_t>(random->Chance(10) ? kBackgroundPriority : random->Between(0, 4));
  if (random->Chance(25)) {
    const int64_t width = random->Between(1, kWidths);
    request.inputs.resize(1);
    request.inputs[0].dims.Push(width);
    // Its own length below what it is padded to is nothing to the scheduler.
    request.inputs[0].length = random->Between(0, width);
    request.shape_key = static_cast<uint64_t>(width);
  }
  if (random->Chance(15)) world->CancelAt(world->clients().size() - 1, at_ns + random->Between(0, 20) * kMs);
}

}  // namespace

std::string RunSchedule(uint64_t seed, ScheduleTotals* totals) {
  Random random(seed);
  World world(static_cast<int>(random.Between(1, 3)), 150 * kUs);
  for (int64_t left = random.Between(1, 3); left > 0; --left) AddVersion(&world, &random);
  const int64_t requests = random.Between(5, 40);
  const double per_second = static_cast<double>(random.Between(100, 20'000));
  int64_t at_ns = kS;
  for (int64_t i = 0; i < requests; ++i) {
    at_ns += random.Chance(30) ? 0 : random.GapNs(per_second);
    AddClient(&world, &random, at_ns);
  }
  if (random.Chance(10)) world.CloseAt(kS + random.Between(0, 50) * kMs);
  world.Play();
  ++totals->schedules;
  totals->requests += world.clients().size();
  totals->runs += world.runs();
  for (const auto& client : world.clients()) {
    totals->answered += client->code == Code::kOk ? 1 : 0;
    totals->refused += client->code == Code::kQueueFull ? 1 : 0;
    totals->expired += client->code == Code::kDeadlinePassed ? 1 : 0;
    totals->cancelled += client->code == Code::kCancelled ? 1 : 0;
  }
  return world.failure();
}

}  // namespace sluice::test
