#include "engine/loop_batcher.h"

#include "base/clock.h"
#include "engine/refusal.h"
#include "engine/run_batch.h"

namespace sluice {

namespace {

// What one tick may spend on runs; the rest of it goes to the workers.
constexpr int64_t kTickBudgetNs = 500'000;
// Larger requests would make copying and encoding felt by the loop's other clients.
constexpr size_t kMostLoopBytes = 64 * 1024;

bool FitsLoop(const ModelVersion& version, const Request& request) {
  if (!version.runs_inline() || request.rows > version.LimitRows(request.shape_key)) return false;
  if (request.priority == kBackgroundPriority) return false;
  size_t bytes = 0;
  for (const RequestInput& input : request.inputs) bytes += input.byte_count;
  return bytes <= kMostLoopBytes;
}

}  // namespace

// Lists grow together with those that their requests may have to stand in during Flush.
void LoopBatcher::Append(std::vector<Request*>* list, Request* request) {
  if (list->size() == list->capacity()) {
    const size_t room = 2 * list->size() + 16;
    dropped_.reserve(room);
    others_.reserve(room);
    batch_.requests.reserve(room);
    list->reserve(room);
  }
  list->push_back(request);
}

void LoopBatcher::Add(ModelVersion* version, uint32_t handle, Request* request) {
  if (handle >= queues_.size()) queues_.resize(handle + 1);
  std::unique_ptr<TickQueue>& queue = queues_[handle];
  // A handle may have been given to another version since; then its old queue is empty.
  if (queue == nullptr || queue->serial != version->spec().serial)
    queue = std::make_unique<TickQueue>(version);
  if (queue->for_loop.empty() && queue->for_workers.empty()) touched_.push_back(queue.get());
  if (FitsLoop(*version, *request)) {
    Append(&queue->for_loop, request);
  } else {
    Append(&queue->for_workers, request);
    queue->units_for_workers += version->may_batch() ? request->rows : 1;
  }
}

void LoopBatcher::Cancel(Request* request) {
  request->is_cancelled.store(true, std::memory_order_relaxed);
  auto* version = static_cast<ModelVersion*>(request->version);
  if (version == nullptr || !engine_->scheduler()->Cancel(version->queue(), request)) return;
  FailRefused(*version, Code::kCancelled, request);
  version->stats.Ended(&request, 1, NowNs());
  port_->CompleteOnLoop(request);
}

void LoopBatcher::Flush() {
  if (touched_.empty()) return;
  int64_t now_ns = NowNs();
  int64_t spent_ns = 0;
  if (engine_->options().loop_rest_ns > 0) {
    for (const TickQueue* queue : touched_) rest_.Served(queue->version, now_ns);
  }
  // Workers first: they can begin while the loop runs its own.
  for (TickQueue* queue : touched_) {
    if (!queue->for_workers.empty()) SubmitToWorkers(queue->version, &queue->for_workers);
    queue->units_for_workers = 0;
  }
  for (TickQueue* queue : touched_) RunOnLoop(queue, &now_ns, &spent_ns);
  touched_.clear();
}

void LoopBatcher::SubmitToWorkers(ModelVersion* version, std::vector<Request*>* requests) {
  const int64_t now_ns = NowNs();
  dropped_.clear();
  engine_->scheduler()->Submit(version->queue(), requests->data(), requests->size(), now_ns, &dropped_);
  requests->clear();
  if (dropped_.empty()) return;
  FailDropped(dropped_.data(), dropped_.size());
  CompleteOnLoop(version, dropped_, now_ns);
}

// `clock_ns` is carried from run to run: each reading of it is felt where a tick has one request.
void LoopBatcher::RunOnLoop(TickQueue* queue, int64_t* clock_ns, int64_t* spent_ns) {
  ModelVersion* version = queue->version;
  while (!queue->for_loop.empty()) {
    const int64_t now_ns = *clock_ns;
    TakeBatch(queue, now_ns);
    if (!dropped_.empty()) {
      FailDropped(dropped_.data(), dropped_.size());
      CompleteOnLoop(version, dropped_, now_ns);
    }
    if (batch_.requests.empty()) continue;
    const int64_t estimate_ns = version->EstimateNs(batch_.rows, batch_.requests[0]->shape_key);
    if (*spent_ns > 0 && *spent_ns + estimate_ns > kTickBudgetNs) {
      SubmitToWorkers(version, &batch_.requests);
      queue->for_loop.erase(queue->for_loop.begin(),
                            queue->for_loop.begin() + static_cast<std::ptrdiff_t>(queue->first));
      queue->first = 0;
      if (!queue->for_loop.empty()) SubmitToWorkers(version, &queue->for_loop);
      return;
    }
    batch_.release = Release::kTickEnd;
    for (Request* request : batch_.requests) request->part_rows = request->rows;
    run_.Begin(version, now_ns);
    const int64_t run_ns = RunBatch(version, &batch_, now_ns);
    run_.End();
    *clock_ns += run_ns;
    *spent_ns += run_ns;
    version->NoteInlineRun(batch_, run_ns, now_ns + run_ns);
    CompleteOnLoop(version, batch_.requests, now_ns + run_ns);
  }
}

// The requests that may run with the first one, up to a full batch; the others keep their order.
void LoopBatcher::TakeBatch(TickQueue* queue, int64_t now_ns) {
  batch_.requests.clear();
  batch_.rows = 0;
  dropped_.clear();
  others_.clear();
  std::vector<Request*>& waiting = queue->for_loop;
  int64_t limit = 1;
  size_t i = queue->first;
  for (; i < waiting.size() && batch_.rows < limit; ++i) {
    Request* request = waiting[i];
    const bool is_cancelled = request->is_cancelled.load(std::memory_order_relaxed);
    if (is_cancelled || request->deadline_ns <= now_ns) {
      request->drop_code = is_cancelled ? Code::kCancelled : Code::kDeadlinePassed;
      dropped_.push_back(request);
    } else if (batch_.requests.empty()) {
      if (queue->version->may_batch()) limit = queue->version->LimitRows(request->shape_key);
      batch_.requests.push_back(request);
      batch_.rows = request->rows;
    } else if (batch_.rows + request->rows <= limit && MayShareRun(*batch_.requests[0], *request)) {
      batch_.requests.push_back(request);
      batch_.rows += request->rows;
    } else {
      others_.push_back(request);
    }
  }
  queue->first = i;
  if (!others_.empty()) {
    others_.insert(others_.end(), waiting.begin() + static_cast<std::ptrdiff_t>(i), waiting.end());
    waiting.swap(others_);
    queue->first = 0;
  } else if (i == waiting.size()) {
    waiting.clear();
    queue->first = 0;
  }
}

void LoopBatcher::CompleteOnLoop(ModelVersion* version, const std::vector<Request*>& requests,
                                 int64_t now_ns) {
  version->stats.Ended(requests.data(), requests.size(), now_ns);
  for (Request* request : requests) port_->CompleteOnLoop(request);
}

}  // namespace sluice
