#include "engine/engine.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "base/clock.h"
#include "base/thread_priority.h"
#include "engine/complete_requests.h"
#include "engine/refusal.h"
#include "engine/run_batch.h"
#include "run/open_ort.h"

namespace sluice {

namespace {

constexpr int kLoaderNiceness = 10;
constexpr int kSharedCoreNiceness = 10;
// When to try again what found no memory or no thread.
constexpr auto kRetryPause = std::chrono::milliseconds(1);
constexpr int64_t kThreadPauseNs = 100'000'000;

Status TryWork(const std::function<Status()>& work) noexcept {
  try {
    return work();
  } catch (const std::exception&) {
    return Status(Code::kInternal, kOutOfMemoryText);
  }
}

// Shared by every event loop of the process on purpose.
std::mutex process_mutex;
std::weak_ptr<Engine> process_engine;

}  // namespace

Status Engine::Acquire(const EngineOptions& options, std::shared_ptr<Engine>* engine) {
  std::lock_guard<std::mutex> lock(process_mutex);
  *engine = process_engine.lock();
  if (*engine != nullptr) return Status();
  try {
    const Ort* ort = nullptr;
    if (Status status = OpenOrt(options.onnxruntime_path, &ort); !status.ok()) return status;
    engine->reset(new Engine(ort, options));
  } catch (const std::exception&) {
    return Status(Code::kInternal, kOutOfMemoryText);
  }
  process_engine = *engine;
  return Status();
}

Engine::Engine(const Ort* ort, EngineOptions options)
    : ort_(ort),
      options_(std::move(options)),
      scheduler_(options_.workers, [](Request* request) { request->port->TellEarly(request); }),
      decoder_(&scheduler_) {
  try {
    for (int i = 0; i < options_.workers; ++i) StartWorker();
    watch_ = std::thread([this] { Watch(); });
  } catch (...) {
    EndThreads();
    throw;
  }
}

Engine::~Engine() {
  EndThreads();
  for (auto& version : versions_) delete version.load();
}

void Engine::EndThreads() {
  StopIntake();
  decoder_.Join();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    threads_done_.wait(lock, [this] { return threads_ == 0; });
  }
  scheduler_.EndWatch();
  if (watch_.joinable()) watch_.join();
}

void Engine::StopIntake() {
  decoder_.Close();
  std::vector<Request*> left;
  for (bool is_closed = false; !is_closed;) {
    try {
      left = scheduler_.Close();
      is_closed = true;
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(kRetryPause);
    }
  }
  for (Request* request : left) request->drop_code = Code::kDraining;
  AnswerDropped(&left);
}

void Engine::AnswerDropped(std::vector<Request*>* dropped) {
  FailDropped(dropped->data(), dropped->size());
  for (Request* request : *dropped) {
    CompleteRequests(static_cast<ModelVersion*>(request->version), &request, 1);
  }
  dropped->clear();
}

void Engine::StartThread(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++threads_;
  }
  const auto leave = [this] {
    std::lock_guard<std::mutex> lock(mutex_);
    // Under the lock: once nothing is left the engine may die.
    if (--threads_ == 0) threads_done_.notify_all();
  };
  try {
    std::thread([leave, work = std::move(work)]() mutable {
      work();
      // What it holds must not outlive the engine.
      work = nullptr;
      leave();
    }).detach();
  } catch (...) {
    leave();
    throw;
  }
}

void Engine::StartWorker() {
  StartThread([this] {
    StayOnCpus();
    // On a shared core the loop goes first: its turns are short, and somebody waits for each.
    if (options_.loop_rest_ns > 0) LowerPriority(kSharedCoreNiceness);
    Work();
  });
}

void Engine::OnLoaderThread(std::shared_ptr<CompletionPort> port, std::function<Status()> work,
                            std::function<void(const Status&)> settle) {
  auto status = std::make_shared<Status>();
  // All that the end of the work needs is made before its beginning.
  const auto posts =
      std::make_shared<CompletionPort::Posts>(1, [status, settle = std::move(settle)] { settle(*status); });
  StartThread([port = std::move(port), work = std::move(work), status, posts] {
    LowerPriority(kLoaderNiceness);
    *status = TryWork(work);
    port->Post(posts.get());
  });
}

void Engine::StayOnCpus() {
  if (options_.worker_cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : options_.worker_cpus) CPU_SET(cpu, &set);
  // A CPU that was taken away meanwhile is no reason not to work.
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

void Engine::Work() {
  Run run;
  while (scheduler_.Next(&run)) {
    AnswerDropped(&run.dropped);
    if (run.queue == nullptr) continue;
    auto* version = static_cast<ModelVersion*>(run.batch.requests[0]->version);
    RunBatch(version, &run.batch, run.started_ns);
    const int64_t now_ns = NowNs();
    version->NoteWorkerRun(now_ns);
    bool is_pending = false;
    const auto complete = [&run, &is_pending] {
      if (CompleteFinished(&run.finished)) is_pending = true;
    };
    scheduler_.Ended(&run, now_ns, complete);
    complete();
    // On a shared core the loop delivers now, and brings what its clients send next: the next batch is
    // fuller. Where it has done so already, others would only take our time.
    if (options_.loop_rest_ns > 0 && is_pending) sched_yield();
  }
}

void Engine::Watch() {
  Sweep sweep;
  const int64_t loop_pause_ns = options_.hung_loop_ns / 4;
  if (loop_pause_ns > 0) sweep.next_ns = NowNs() + loop_pause_ns;
  while (scheduler_.WaitUntilDue(sweep.next_ns)) {
    const int64_t now_ns = NowNs();
    if (loop_pause_ns > 0) loop_runs_.ExitIfHung(now_ns, options_.hung_loop_ns);
    scheduler_.SweepDue(now_ns, &sweep);
    AnswerDropped(&sweep.dropped);
    try {
      for (; sweep.new_workers > 0; --sweep.new_workers) StartWorker();
    } catch (const std::exception&) {
      sweep.next_ns = std::min(sweep.next_ns, now_ns + kThreadPauseNs);
    }
    if (loop_pause_ns > 0) sweep.next_ns = std::min(sweep.next_ns, now_ns + loop_pause_ns);
    sweep.next_ns = std::min(sweep.next_ns, TrimIfDue(now_ns));
  }
}

}  // namespace sluice
