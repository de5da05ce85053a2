#include "engine/loop_batcher.h"

#include "base/clock.h"
#include "engine/run_batch.h"

namespace sluice {

namespace {

// What one tick may spend on runs; the rest of it goes to the workers.
constexpr int64_t kTickBudgetNs = 500'000;
// Larger requests would make copying and encoding felt by the loop's other clients.
constexpr size_t kMostLoopBytes = 64 * 1024;

bool FitsLoop(const ModelVersion& version, const Request& request) {
  if (!version.runs_inline() || request.rows > version.rules().limit_rows) return false;
  size_t bytes = 0;
  for (const RequestInput& input : request.inputs) bytes += input.byte_count;
  return bytes <= kMostLoopBytes;
}

}  // namespace

void LoopBatcher::Add(ModelVersion* version, uint32_t handle, Request* request) {
  if (handle >= queues_.size()) queues_.resize(handle + 1);
  std::unique_ptr<TickQueue>& queue = queues_[handle];
  // A handle may have been given to another version since; then its old queue is empty.
  if (queue == nullptr || queue->serial != version->spec().serial)
    queue = std::make_unique<TickQueue>(version);
  if (queue->for_loop.is_empty() && queue->for_workers.empty()) touched_.push_back(queue.get());
  if (FitsLoop(*version, *request)) {
    queue->for_loop.Push(request);
  } else {
    queue->for_workers.push_back(request);
  }
}

void LoopBatcher::Flush() {
  int64_t spent_ns = 0;
  for (TickQueue* queue : touched_) {
    // Workers first: they can begin while the loop runs its own.
    if (!queue->for_workers.empty()) {
      std::vector<Request*>& requests = queue->for_workers;
      if (!engine_->Submit(queue->version, requests.data(), requests.size())) {
        for (Request* request : requests)
          request->Fail(Status(Code::kDraining, "the server is shutting down"));
        CompleteOnLoop(queue->version, requests, NowNs());
      }
      requests.clear();
    }
  }
  for (TickQueue* queue : touched_) RunOnLoop(queue, &spent_ns);
  touched_.clear();
}

void LoopBatcher::RunOnLoop(TickQueue* queue, int64_t* spent_ns) {
  ModelVersion* version = queue->version;
  while (!queue->for_loop.is_empty()) {
    if (*spent_ns > kTickBudgetNs) {
      std::vector<Request*> rest;
      queue->for_loop.TakeAll(&rest);
      if (engine_->Submit(version, rest.data(), rest.size())) return;
      for (Request* request : rest) queue->for_loop.Push(request);
      *spent_ns = 0;  // the workers are gone: finish here
    }
    batch_.requests.clear();
    batch_.cancelled.clear();
    batch_.rows = 0;
    const int64_t now_ns = NowNs();
    int64_t look_again_ns = 0;
    if (!queue->for_loop.Take(now_ns, &batch_, &look_again_ns)) return;
    if (batch_.release == Release::kIdleWorker) batch_.release = Release::kTickEnd;
    const int64_t run_ns = RunBatch(version, &batch_, now_ns);
    *spent_ns += run_ns;
    version->NoteInlineRun(run_ns);
    CompleteOnLoop(version, batch_.cancelled, now_ns + run_ns);
    CompleteOnLoop(version, batch_.requests, now_ns + run_ns);
  }
}

void LoopBatcher::CompleteOnLoop(ModelVersion* version, const std::vector<Request*>& requests,
                                 int64_t now_ns) {
  version->stats.Ended(requests.data(), requests.size(), now_ns);
  for (Request* request : requests) port_->CompleteOnLoop(request);
}

}  // namespace sluice
