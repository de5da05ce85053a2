// LoopBatcher: what one event loop collects during a tick. At the end of the tick, versions that run inline
// are run here and now, everything else goes to the workers in one call per version. Loop thread only;
// requests pass through.
#pragma once

#include <memory>
#include <vector>

#include "engine/completion_port.h"
#include "engine/engine.h"

namespace sluice {

class LoopBatcher {
 public:
  LoopBatcher(Engine* engine, CompletionPort* port) : engine_(engine), port_(port) {}

  // `request` is decoded and accepted.
  void Add(ModelVersion* version, uint32_t handle, Request* request);
  // End of the tick. Finished requests wait in the port afterwards.
  void Flush();

 private:
  struct TickQueue {
    explicit TickQueue(ModelVersion* version)
        : version(version),
          serial(version->spec().serial),
          for_loop(version->rules(), version->may_batch(), 1) {}

    ModelVersion* version;
    uint64_t serial;
    VersionQueue for_loop;
    std::vector<Request*> for_workers;
  };

  void RunOnLoop(TickQueue* queue, int64_t* spent_ns);
  void CompleteOnLoop(ModelVersion* version, const std::vector<Request*>& requests, int64_t now_ns);

  Engine* const engine_;
  CompletionPort* const port_;
  std::vector<std::unique_ptr<TickQueue>> queues_;  // by handle
  std::vector<TickQueue*> touched_;
  Batch batch_;
};

}  // namespace sluice
