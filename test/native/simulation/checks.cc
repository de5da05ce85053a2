// What must hold whenever a run begins and whenever a worker stays idle: the other half of World.
#include <algorithm>

#include "simulation/world.h"

namespace sluice::test {

bool World::IsReady(const SimVersion& version) const {
  const QueueRules& rules = version.queue->rules();
  return version.waiting_foreground > 0 && version.running < rules.instance_count &&
         rules.batch.max_queue_delay_ns == 0;
}

void World::CheckBatch(const Run& run) {
  SimVersion& version = *versions_[Of(run.batch.requests[0])->version];
  const QueueRules& rules = version.queue->rules();
  Expect(run.queue == version.queue.get(), "a batch of another version than its queue");
  Expect(++version.running <= rules.instance_count, "more runs at a time than instances");
  const Request& first = *run.batch.requests[0];
  // Strict levels: whoever waits above the first of the batch was passed over. In small worlds only: it looks
  // at everybody.
  const bool is_strict =
      rules.batch.max_queue_delay_ns == 0 && rules.policies.empty() && clients_.size() <= 100;
  for (const auto& other : clients_) {
    if (!is_strict || !other->is_waiting || other->version != Of(run.batch.requests[0])->version) continue;
    const bool is_here = std::find(run.batch.requests.begin(), run.batch.requests.end(), &other->request) !=
                         run.batch.requests.end();
    Expect(is_here || other->request.priority >= first.priority, "a higher level was passed over",
           other.get());
  }
  int64_t rows = 0;
  for (Request* request : run.batch.requests) {
    Client* client = Of(request);
    Expect(client->is_waiting && !client->is_running, "a request in two runs, or that did not wait", client);
    Expect(client->answers == 0, "a request was run that has its answer", client);
    Expect(request->deadline_ns > now_ns_, "an expired request was run", client);
    Expect(client->rows_run > 0 || client->start_by_ns > now_ns_, "a request was run after its queue timeout",
           client);
    Expect(client->cancelled_ns == kNever, "a cancelled request was run", client);
    Expect(request->done_rows == client->rows_run, "a row was run twice or left out", client);
    Expect(request->part_rows >= 1 && request->part_rows <= request->rows_left(), "a piece without rows",
           client);
    Expect(rules.may_cut || request->part_rows == request->rows, "a request was cut that must not be",
           client);
    Expect(MayShareRun(first, *request), "two shapes in one run", client);
    Expect(client->version == Of(run.batch.requests[0])->version, "two versions in one run", client);
    Expect((first.priority == kBackgroundPriority) == (request->priority == kBackgroundPriority),
           "background work in a run of the foreground", client);
    client->is_waiting = false;
    client->is_running = true;
    if (request->priority != kBackgroundPriority) --version.waiting_foreground;
    rows += request->part_rows;
  }
  Expect(rows == run.batch.rows, "a batch that miscounts its rows");
  const bool is_alone = run.batch.requests.size() == 1;
  Expect(is_alone || rows <= std::max(rules.batch.limit_rows, int64_t{1}), "a batch over its limit");
  Expect(is_alone || rules.may_batch, "several requests in a run of a version that does not batch");
  Expect(rows <= rules.most_run_rows || !rules.may_cut, "a run over max_batch_size");
  if (first.priority != kBackgroundPriority) return;
  for (const auto& other : versions_)
    Expect(!IsReady(*other), "background work was run while the foreground waited");
}

// The bound on starvation, for one worker: while a version is ready, each other version gets at most two of
// its own longest runs, and its share of one longest run of the version that waits.
void World::CheckFairness(const Run& run, int64_t run_ns) {
  SimVersion& running = *versions_[Of(run.batch.requests[0])->version];
  running.longest_run_ns = std::max(running.longest_run_ns, run_ns);
  running.others_ns = 0;
  if (configured_workers_ > 1 || workers_.size() > 1) return;
  for (const auto& waiting : versions_) {
    if (waiting.get() == &running) continue;
    if (!IsReady(*waiting)) {
      waiting->others_ns = 0;
      continue;
    }
    waiting->others_ns += run_ns;
    int64_t bound_ns = 0;
    for (const auto& other : versions_) {
      if (other == waiting) continue;
      const double share = other->queue->rules().weight / waiting->queue->rules().weight;
      bound_ns += 2 * other->longest_run_ns +
                  static_cast<int64_t>(share * static_cast<double>(waiting->longest_run_ns));
    }
    Expect(waiting->others_ns <= bound_ns, "a version starved beyond the bound");
  }
}

void World::CheckIdle(int64_t look_again_ns) {
  for (const auto& version : versions_) {
    Expect(!IsReady(*version), "a worker stayed idle while something was ready");
    const bool is_held =
        version->waiting_foreground > 0 && version->running < version->queue->rules().instance_count;
    Expect(!is_held || look_again_ns > now_ns_, "a lane is held back without an end");
  }
}

}  // namespace sluice::test
