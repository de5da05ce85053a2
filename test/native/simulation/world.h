// World: the real scheduler in simulated time, on one thread. Workers, the watch and clients are events; runs
// take the time that the world says and compute nothing; a worker may need a moment more to answer. Every
// step is checked against what the scheduler promises; the first breach is kept in `failure` and ends the
// world.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "schedule/scheduler.h"
#include "simulation/random.h"

namespace sluice::test {

inline constexpr int64_t kUs = 1'000;
inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kS = 1'000'000'000;

// A simulated client's request and what became of it.
struct Client {
  Request request;
  size_t version = 0;
  int64_t order = 0;  // of submission
  int answers = 0;
  Code code = Code::kOk;  // of the answer
  int64_t answered_ns = 0;
  bool is_submitted = false;
  bool is_running = false;
  bool is_waiting = false;
  bool is_let_go = false;
  int64_t cancelled_ns = kNever;
  int64_t rows_run = 0;
  int64_t start_by_ns = kNever;  // where its level refuses what waited too long
};

struct SimVersion {
  CostTable cost;
  std::unique_ptr<VersionQueue> queue;
  std::function<int64_t(int64_t rows)> run_ns;
  int running = 0;
  int64_t longest_run_ns = 0;
  int64_t others_ns = 0;  // run time of others while this one was ready
  int64_t last_order = -1;
  int waiting_foreground = 0;
  int64_t run_total_ns = 0;
};

class World {
 public:
  // `answer_ns`: a worker answers by turns at the end of its run, and up to three times as long after it.
  explicit World(int workers, int64_t answer_ns = 0);

  size_t AddVersion(QueueRules rules, CostTable cost, std::function<int64_t(int64_t)> run_ns);
  // A request that arrives at `at_ns`; its deadline and the like are set by the caller afterwards.
  Client* AddClient(size_t version, int64_t at_ns, int64_t rows);
  void CancelAt(size_t client, int64_t at_ns) { Schedule(at_ns, Kind::kCancel, client); }
  void CloseAt(int64_t at_ns) { Schedule(at_ns, Kind::kClose, 0); }

  // Until nothing more happens. Then every request must have its one answer.
  void Play();

  int64_t now_ns() const { return now_ns_; }
  const std::string& failure() const { return failure_; }
  std::vector<std::unique_ptr<Client>>& clients() { return clients_; }
  SimVersion& version(size_t index) { return *versions_[index]; }
  size_t versions() const { return versions_.size(); }
  uint64_t runs() const { return runs_; }
  uint64_t run_rows() const { return run_rows_; }

  std::function<void(Client*)> on_answer;  // may add clients

 private:
  enum class Kind { kArrive, kCancel, kRunEnd, kWorkerFree, kLook, kSweep, kClose };
  struct Event {
    int64_t at_ns;
    uint64_t number;
    Kind kind;
    size_t index;
    bool operator>(const Event& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : number > other.number;
    }
  };
  struct Worker {
    Run run;
    bool is_busy = false;
  };

  void Schedule(int64_t at_ns, Kind kind, size_t index) {
    events_.push({at_ns, ++event_number_, kind, index});
  }
  void Arrive(Client* client);
  void Cancel(Client* client);
  void Close();
  void EndRun(size_t index);
  void AnswerFinished(Run* run);
  void FreeWorker(Worker* worker);
  void SweepNow();
  void FeedWorkers();
  void StartRun(size_t index);
  void PlanSweep();
  void Answer(Client* client, Code code);
  void LetGo(Client* client);
  void AnswerDropped(const std::vector<Request*>& dropped);
  Client* Of(Request* request) { return static_cast<Client*>(request->version); }
  void Expect(bool holds, const char* what, const Client* client = nullptr);

  void CheckBatch(const Run& run);
  void CheckFairness(const Run& run, int64_t run_ns);
  void CheckIdle(int64_t look_again_ns);
  bool IsReady(const SimVersion& version) const;

  Scheduler scheduler_;
  const int configured_workers_;
  const int64_t answer_ns_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int leaving_ = 0;
  std::vector<std::unique_ptr<SimVersion>> versions_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
  uint64_t event_number_ = 0;
  int64_t now_ns_ = 0;
  int64_t sweep_at_ns_ = kNever;
  int64_t last_sweep_ns_ = -kS;
  int64_t orders_ = 0;
  bool is_closed_ = false;
  uint64_t runs_ = 0;
  uint64_t run_rows_ = 0;
  Sweep sweep_;
  std::string failure_;
};

}  // namespace sluice::test
