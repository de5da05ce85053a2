// LoopBatcher: what one event loop collects during a tick. At the end of the tick, versions that run inline
// are run here and now, everything else goes to the workers in one call per version. Loop thread only;
// requests pass through.
#pragma once

#include <memory>
#include <vector>

#include "engine/completion_port.h"
#include "engine/engine.h"
#include "engine/loop_rest.h"

namespace sluice {

class LoopBatcher {
 public:
  LoopBatcher(Engine* engine, CompletionPort* port)
      : engine_(engine), port_(port), rest_(engine->options().loop_rest_ns) {
    engine_->loop_runs()->Add(&run_);
  }
  ~LoopBatcher() { engine_->loop_runs()->Remove(&run_); }
  LoopBatcher(const LoopBatcher&) = delete;
  LoopBatcher& operator=(const LoopBatcher&) = delete;

  // `request` is decoded. May throw std::bad_alloc, as if it had not been called; Flush needs no memory.
  void Add(ModelVersion* version, uint32_t handle, Request* request);
  // One that waits leaves and is answered at once; one of this tick is when the tick ends; a run goes on.
  void Cancel(Request* request);
  // End of the tick. Finished requests wait in the port afterwards.
  void Flush();
  LoopRest* rest() { return &rest_; }
  // Rows of this tick that will wait for a worker; without batching, requests.
  int64_t UnitsForWorkers(uint32_t handle) const {
    return handle < queues_.size() && queues_[handle] != nullptr ? queues_[handle]->units_for_workers : 0;
  }

 private:
  struct TickQueue {
    explicit TickQueue(ModelVersion* version) : version(version), serial(version->spec().serial) {}

    ModelVersion* version;
    uint64_t serial;
    std::vector<Request*> for_loop;  // consumed from `first`
    size_t first = 0;
    std::vector<Request*> for_workers;
    int64_t units_for_workers = 0;
  };

  void Append(std::vector<Request*>* list, Request* request);
  void RunOnLoop(TickQueue* queue, int64_t* clock_ns, int64_t* spent_ns);
  void TakeBatch(TickQueue* queue, int64_t now_ns);
  void SubmitToWorkers(ModelVersion* version, std::vector<Request*>* requests);
  void CompleteOnLoop(ModelVersion* version, const std::vector<Request*>& requests, int64_t now_ns);

  Engine* const engine_;
  CompletionPort* const port_;
  LoopRest rest_;
  LoopRun run_;
  std::vector<std::unique_ptr<TickQueue>> queues_;  // by handle
  std::vector<TickQueue*> touched_;
  Batch batch_;
  std::vector<Request*> dropped_;
  std::vector<Request*> others_;  // of another shape than the batch
};

}  // namespace sluice
