// Engine: the owner of everything native: the ONNX Runtime library, the model versions, the scheduler, worker
// and loader threads. One per process, shared by its event loops; ends when the last of them lets go.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/completion_port.h"
#include "engine/decode_thread.h"
#include "engine/loop_runs.h"
#include "engine/model_version.h"
#include "run/ort_api.h"
#include "schedule/scheduler.h"

namespace sluice {

struct EngineOptions {
  std::string onnxruntime_path;
  int workers = 1;
  std::vector<int> worker_cpus;  // that workers stay on; empty = anywhere
  int64_t inline_budget_ns = 100'000;
  // How long a loop pauses that refuses requests while no core is left to it alone; 0 = one is.
  int64_t loop_rest_ns = 0;
  int64_t longest_ns = 30'000'000'000;    // every request's deadline where nobody asks for an earlier one
  int64_t hung_loop_ns = 30'000'000'000;  // how long one run may keep an event loop; 0: for ever
};

class Engine {
 public:
  // The process's engine, made on the first call; later calls share it, whatever their options say.
  static Status Acquire(const EngineOptions& options, std::shared_ptr<Engine>* engine);
  ~Engine();

  const Ort& ort() const { return *ort_; }
  const EngineOptions& options() const { return options_; }
  Scheduler* scheduler() { return &scheduler_; }
  LoopRuns* loop_runs() { return &loop_runs_; }

  // Runs `work` on a loader thread of low priority, never on the loop or a worker; what came of it goes to
  // `settle` on the loop of `port`, which must not throw. Throws, as if it had not been called, where there
  // is no memory or no thread for it.
  void OnLoaderThread(std::shared_ptr<CompletionPort> port, std::function<Status()> work,
                      std::function<void(const Status&)> settle);

  // Loader threads. Open answers a handle.
  Status Open(const SessionOptions& options, uint32_t* handle);
  Status Start(uint32_t handle, StartOptions options);

  // The end of a version has two halves. The event loop takes it out of those that Version finds, so that no
  // call of the loop meets one half gone: from then on only requests in flight know it. Null: not open.
  ModelVersion* Take(uint32_t handle);
  // A loader thread waits for those and frees it.
  void Free(ModelVersion* version);
  // Where there is no loader thread for that: it is found again.
  void PutBack(uint32_t handle, ModelVersion* version);

  // Any thread; null for a handle that is not open.
  ModelVersion* Version(uint32_t handle) const {
    return handle < kMostVersions ? versions_[handle].load(std::memory_order_acquire) : nullptr;
  }

  // Decodes `request->body` off the loop, then queues it; completes it itself when that fails. False when
  // closed.
  bool SubmitForDecode(Request* request) { return decoder_.Submit(request); }

  // Answers what waits with DRAINING and lets the workers go. Idempotent.
  void StopIntake();

 private:
  static constexpr size_t kMostVersions = 16384;

  Engine(const Ort* ort, EngineOptions options);
  // Runs `work` on a thread of its own, which the end of the engine waits for. Throws where there is none.
  void StartThread(std::function<void()> work);
  void StartWorker();
  void EndThreads();
  void StayOnCpus();
  void Work();
  void Watch();
  Status TryOpen(const SessionOptions& options, uint32_t* handle);
  // To the system what loads and closed versions left, once for all within a while.
  void TrimSoon();
  // Answers when it is due.
  int64_t TrimIfDue(int64_t now_ns);
  void AnswerDropped(std::vector<Request*>* dropped);

  const Ort* const ort_;
  const EngineOptions options_;
  Scheduler scheduler_;
  DecodeThread decoder_;
  LoopRuns loop_runs_;
  std::thread watch_;
  std::array<std::atomic<ModelVersion*>, kMostVersions> versions_{};
  // Where the search for a free handle begins: a handle that was given back is given out again as late as
  // possible, so that whoever still holds it meets no other model.
  std::atomic<size_t> next_version_{0};
  std::atomic<int64_t> trim_due_ns_{kNever};

  std::mutex mutex_;  // guards what follows
  std::condition_variable threads_done_;
  int threads_ = 0;  // workers and loaders
};

}  // namespace sluice
