#include "engine/engine.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/complete_requests.h"
#include "engine/run_batch.h"

namespace sluice {

namespace {

constexpr int kLoaderNiceness = 10;

// Shared by every event loop of the process on purpose.
std::mutex process_mutex;
std::weak_ptr<Engine> process_engine;

}  // namespace

Status Engine::Acquire(const EngineOptions& options, std::shared_ptr<Engine>* engine) {
  std::lock_guard<std::mutex> lock(process_mutex);
  *engine = process_engine.lock();
  if (*engine != nullptr) return Status();
  const Ort* ort = nullptr;
  if (Status status = OpenOrt(options.onnxruntime_path, &ort); !status.ok()) return status;
  engine->reset(new Engine(ort, options));
  process_engine = *engine;
  return Status();
}

Engine::Engine(const Ort* ort, EngineOptions options)
    : ort_(ort), options_(std::move(options)), decoder_(&scheduler_) {
  for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { Work(); });
}

Engine::~Engine() {
  StopIntake();
  for (std::thread& worker : workers_) worker.join();
  decoder_.Join();
  std::unique_lock<std::mutex> lock(mutex_);
  loaders_done_.wait(lock, [this] { return loaders_ == 0; });
  for (auto& version : versions_) delete version.load();
}

void Engine::StopIntake() {
  decoder_.Close();
  const Status draining(Code::kDraining, "the server is shutting down");
  for (Request* request : scheduler_.Close()) {
    request->Fail(draining);
    CompleteRequests(static_cast<ModelVersion*>(request->version), &request, 1);
  }
}

void Engine::Work() {
  Assignment assignment;
  for (;;) {
    assignment.batch = Batch();
    if (!scheduler_.Next(&assignment)) return;
    Batch& batch = assignment.batch;
    Request* any = batch.requests.empty() ? batch.cancelled.front() : batch.requests.front();
    auto* version = static_cast<ModelVersion*>(any->version);
    RunBatch(version, &batch, NowNs());
    scheduler_.Ended(assignment.queue);
    batch.requests.insert(batch.requests.end(), batch.cancelled.begin(), batch.cancelled.end());
    CompleteRequests(version, batch.requests.data(), batch.requests.size());
  }
}

void Engine::OnLoaderThread(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++loaders_;
  }
  std::thread([this, work = std::move(work)] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kLoaderNiceness);
    work();
    std::lock_guard<std::mutex> lock(mutex_);
    // Under the lock: once the count is zero the engine may die.
    if (--loaders_ == 0) loaders_done_.notify_all();
  }).detach();
}

Status Engine::Open(const SessionOptions& options, uint32_t* handle) {
  std::unique_ptr<Runner> model;
  try {
    if (Status status = LoadRunner(*ort_, options, &model); !status.ok()) return status;
  } catch (const std::exception& error) {
    return Status(Code::kModelInvalid, std::string("the model cannot be loaded: ") + error.what());
  }
  auto version = std::make_unique<ModelVersion>(std::move(model));
  for (size_t tried = 0; tried < kMostVersions; ++tried) {
    const size_t i = next_version_.fetch_add(1, std::memory_order_relaxed) % kMostVersions;
    ModelVersion* expected = nullptr;
    if (!versions_[i].compare_exchange_strong(expected, version.get(), std::memory_order_acq_rel)) continue;
    version.release();
    *handle = static_cast<uint32_t>(i);
    return Status();
  }
  return Status(Code::kInternal,
                "expected at most " + std::to_string(kMostVersions) + " open model versions");
}

Status Engine::Start(uint32_t handle, StartOptions options) {
  ModelVersion* version = Version(handle);
  if (version == nullptr)
    return Status(Code::kInternal, "no open model has handle " + std::to_string(handle));
  try {
    return version->Start(std::move(options), options_.inline_budget_ns, options_.longest_ns);
  } catch (const std::exception& error) {
    return Status(Code::kModelInvalid, std::string("the model cannot be started: ") + error.what());
  }
}

Status Engine::Close(uint32_t handle) {
  ModelVersion* version = Version(handle);
  if (version == nullptr)
    return Status(Code::kInternal, "no open model has handle " + std::to_string(handle));
  version->WaitUntilIdle();
  versions_[handle].store(nullptr, std::memory_order_release);
  delete version;
  // The allocator keeps what sessions give back, for sessions that may never come.
  malloc_trim(0);
  return Status();
}

}  // namespace sluice
