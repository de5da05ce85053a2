#include "simulation/world.h"

#include <algorithm>

namespace sluice::test {

namespace {
// Sweeps keep this distance, so an answer may be so late.
constexpr int64_t kSweepPauseNs = kMs;
constexpr uint64_t kAnswerTurns = 4;
}  // namespace

World::World(int workers, int64_t answer_ns)
    : scheduler_(workers, [this](Request* request) { Answer(Of(request), request->early_code); }),
      configured_workers_(workers),
      answer_ns_(answer_ns) {
  for (int i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>());
}

size_t World::AddVersion(QueueRules rules, CostTable cost, std::function<int64_t(int64_t)> run_ns) {
  auto version = std::make_unique<SimVersion>();
  version->cost = cost;
  version->queue = std::make_unique<VersionQueue>(std::move(rules), &version->cost);
  version->run_ns = std::move(run_ns);
  versions_.push_back(std::move(version));
  return versions_.size() - 1;
}

Client* World::AddClient(size_t version, int64_t at_ns, int64_t rows) {
  clients_.push_back(std::make_unique<Client>());
  Client* client = clients_.back().get();
  client->version = version;
  client->request.version = client;
  client->request.rows = rows;
  client->request.submitted_ns = at_ns;
  client->request.deadline_ns = at_ns + 30 * kS;
  client->request.ticket = static_cast<uint32_t>(clients_.size() - 1);
  Schedule(at_ns, Kind::kArrive, clients_.size() - 1);
  return client;
}

void World::Expect(bool holds, const char* what, const Client* client) {
  if (holds || !failure_.empty()) return;
  failure_ = std::string(what) + " (at " + std::to_string(now_ns_) + " ns";
  if (client != nullptr) failure_ += ", request " + std::to_string(client->request.ticket);
  failure_ += ")";
}

void World::Play() {
  while (failure_.empty() && !events_.empty()) {
    const Event event = events_.top();
    events_.pop();
    now_ns_ = event.at_ns;
    switch (event.kind) {
      case Kind::kArrive:
        Arrive(clients_[event.index].get());
        break;
      case Kind::kCancel:
        Cancel(clients_[event.index].get());
        break;
      case Kind::kRunEnd:
        EndRun(event.index);
        break;
      case Kind::kWorkerFree:
        FreeWorker(workers_[event.index].get());
        break;
      case Kind::kLook:
        break;
      case Kind::kSweep:
        if (event.at_ns == sweep_at_ns_) SweepNow();
        break;
      case Kind::kClose:
        Close();
        break;
    }
    FeedWorkers();
    PlanSweep();
  }
  for (const auto& client : clients_) {
    Expect(client->answers == 1, "a request without exactly one answer", client.get());
    Expect(client->is_let_go, "a request that nobody let go of", client.get());
  }
  for (const auto& version : versions_) {
    Expect(version->queue->is_empty(), "a queue that is not empty at the end");
    Expect(version->queue->waiting_bytes() == 0 && version->queue->waiting_rows() == 0 &&
               version->queue->waiting_requests() == 0,
           "bounds of a queue that are not given back at the end");
  }
}

void World::Arrive(Client* client) {
  SimVersion& version = *versions_[client->version];
  client->is_submitted = true;
  client->order = orders_++;
  Request* request = &client->request;
  // What the queue's bound on bytes counts.
  request->tensors.Resize(1);
  std::vector<Request*> refused;
  scheduler_.Submit(version.queue.get(), &request, 1, now_ns_, &refused);
  if (!refused.empty()) {
    Expect(request->drop_code != Code::kOk, "a refusal without a reason", client);
    Answer(client, request->drop_code);
    LetGo(client);
    return;
  }
  Expect(request->deadline_ns > now_ns_, "a request that came too late was let in", client);
  client->is_waiting = true;
  const QueueRules& rules = version.queue->rules();
  if (!rules.policies.empty() && request->priority != kBackgroundPriority &&
      !rules.policies[request->priority].delays) {
    client->start_by_ns = request->start_by_ns;
  }
  if (request->priority != kBackgroundPriority) ++version.waiting_foreground;
}

void World::Cancel(Client* client) {
  if (!client->is_submitted || client->answers > 0) return;
  client->request.is_cancelled = true;
  client->cancelled_ns = now_ns_;
  const bool has_left = scheduler_.Cancel(versions_[client->version]->queue.get(), &client->request);
  Expect(has_left == client->is_waiting, "a cancelled request that waited did not leave at once", client);
  if (!has_left) return;
  Answer(client, Code::kCancelled);
  LetGo(client);
}

void World::Close() {
  is_closed_ = true;
  for (Request* request : scheduler_.Close()) {
    Answer(Of(request), Code::kDraining);
    LetGo(Of(request));
  }
}

void World::Answer(Client* client, Code code) {
  Expect(++client->answers == 1, "a second answer", client);
  Expect(code != Code::kOk || client->cancelled_ns == kNever || client->is_running,
         "a cancelled request was answered as a success", client);
  Expect(code != Code::kOk || client->rows_run == client->request.rows, "a success without all rows", client);
  Expect(code != Code::kDeadlinePassed || client->request.deadline_ns <= now_ns_,
         "a request expired before its deadline", client);
  Expect(
      now_ns_ <= client->request.deadline_ns + 2 * kSweepPauseNs || now_ns_ <= client->request.submitted_ns,
      "an answer after the deadline", client);
  client->code = code;
  client->answered_ns = now_ns_;
  SimVersion& version = *versions_[client->version];
  if (code == Code::kOk && version.queue->rules().keeps_order &&
      client->request.priority != kBackgroundPriority) {
    Expect(client->order > version.last_order, "an answer out of order", client);
    version.last_order = client->order;
  }
  if (on_answer) on_answer(client);
}

void World::LetGo(Client* client) {
  Expect(!client->is_let_go, "a request was let go twice", client);
  Expect(client->request.phase == Phase::kOutside && client->request.lane == nullptr,
         "a request was let go that the scheduler still holds", client);
  if (client->is_waiting) {
    client->is_waiting = false;
    if (client->request.priority != kBackgroundPriority) --versions_[client->version]->waiting_foreground;
  }
  client->is_let_go = true;
}

void World::AnswerDropped(const std::vector<Request*>& dropped) {
  for (Request* request : dropped) {
    Client* client = Of(request);
    Expect(client->is_waiting, "a request was dropped that did not wait", client);
    Answer(client, request->drop_code);
    LetGo(client);
  }
}

void World::FeedWorkers() {
  if (is_closed_) return;
  for (size_t i = 0; i < workers_.size() && failure_.empty(); ++i) {
    Worker& worker = *workers_[i];
    while (!worker.is_busy && failure_.empty()) {
      int64_t look_again_ns = 0;
      if (!scheduler_.Pick(now_ns_, &worker.run, &look_again_ns)) {
        CheckIdle(look_again_ns);
        if (look_again_ns > now_ns_) Schedule(look_again_ns, Kind::kLook, 0);
        return;
      }
      AnswerDropped(worker.run.dropped);
      if (worker.run.queue != nullptr) StartRun(i);
    }
  }
}

void World::StartRun(size_t index) {
  Worker& worker = *workers_[index];
  CheckBatch(worker.run);
  if (!failure_.empty()) return;
  ++runs_;
  run_rows_ += static_cast<uint64_t>(worker.run.batch.rows);
  SimVersion& version = *versions_[Of(worker.run.batch.requests[0])->version];
  const int64_t run_ns = version.run_ns(worker.run.batch.rows);
  CheckFairness(worker.run, run_ns);
  version.run_total_ns += run_ns;
  worker.is_busy = true;
  Schedule(now_ns_ + run_ns, Kind::kRunEnd, index);
}

void World::EndRun(size_t index) {
  Worker* worker = workers_[index].get();
  --versions_[Of(worker->run.batch.requests[0])->version]->running;
  for (Request* request : worker->run.batch.requests) {
    Of(request)->is_running = false;
    Of(request)->rows_run += request->part_rows;
  }
  scheduler_.Ended(&worker->run, now_ns_, [this, worker] { AnswerFinished(&worker->run); });
  const std::vector<Request*>& finished = worker->run.finished;
  for (Request* request : worker->run.batch.requests) {
    Client* client = Of(request);
    if (client->is_let_go || std::find(finished.begin(), finished.end(), request) != finished.end()) continue;
    Expect(request->phase == Phase::kWaiting && request->rows_left() > 0 && client->answers == 0,
           "a request that goes on neither waits nor has an answer", client);
    client->is_waiting = true;
    if (request->priority != kBackgroundPriority) ++versions_[client->version]->waiting_foreground;
  }
  Schedule(now_ns_ + static_cast<int64_t>(event_number_ % kAnswerTurns) * answer_ns_, Kind::kWorkerFree,
           index);
}

void World::AnswerFinished(Run* run) {
  for (Request* request : run->finished) {
    Client* client = Of(request);
    client->is_running = true;  // what ends here may be a success although it was cancelled meanwhile
    if (request->early_code == Code::kOk) {
      Answer(client, request->rows_left() > 0 ? request->drop_code : Code::kOk);
    }
    client->is_running = false;
    LetGo(client);
  }
  run->finished.clear();
}

void World::FreeWorker(Worker* worker) {
  AnswerFinished(&worker->run);
  worker->is_busy = false;
  // The stand-in for a late worker leaves again.
  if (worker->run.is_late && !workers_.empty()) {
    for (size_t i = workers_.size(); i-- > 0;) {
      if (workers_[i]->is_busy) continue;
      workers_[i]->is_busy = true;  // gone
      break;
    }
  }
}

void World::SweepNow() {
  last_sweep_ns_ = now_ns_;
  sweep_at_ns_ = kNever;
  sweep_.dropped.clear();
  sweep_.new_workers = 0;
  scheduler_.SweepDue(now_ns_, &sweep_);
  AnswerDropped(sweep_.dropped);
  for (int i = 0; i < sweep_.new_workers; ++i) workers_.push_back(std::make_unique<Worker>());
}

void World::PlanSweep() {
  const int64_t due_ns = scheduler_.WatchDueNs();
  if (due_ns == kNever) return;
  const int64_t at_ns = std::max({due_ns, last_sweep_ns_ + kSweepPauseNs, now_ns_});
  if (at_ns == sweep_at_ns_) return;
  sweep_at_ns_ = at_ns;
  Schedule(at_ns, Kind::kSweep, 0);
}

}  // namespace sluice::test
