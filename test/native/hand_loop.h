// An event loop by hand: what the binding does with one, in programs without Node. Over the scripted runner;
// the thread that made it is the loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "codec/v2_decoder.h"
#include "engine/engine.h"
#include "engine/hand_out.h"
#include "engine/loop_batcher.h"
#include "scripted_runner.h"

namespace sluice {

// One request in V2 form with raw tensors.
struct ScriptedBody {
  explicit ScriptedBody(const std::vector<float>& x, size_t width = kWidth);

  std::vector<uint8_t> bytes;
  size_t head_bytes = 0;
};

class HandLoop {
 public:
  explicit HandLoop(Engine* engine);

  // Decodes a request and queues it for the next Flush; null: the body was refused. Throws where the binding
  // would refuse it for want of memory. `deadline_ns` counts from now; 0: the version's.
  Request* Submit(uint32_t handle, const ScriptedBody& body, int64_t deadline_ns = 0,
                  std::shared_ptr<AnswerTap> tap = nullptr);
  // Decoded by the decode thread.
  Request* SubmitLong(uint32_t handle, const ScriptedBody& body);
  void Flush() { batcher_.Flush(); }
  void Cancel(Request* request) { batcher_.Cancel(request); }

  // Gives every answer there is to `look`, once, and lets go of its request.
  template <typename Look>
  void Deliver(const Look& look) {
    HandOut hand_out(port_.get());
    port_->RecycleTickets();
    while (Request* request = port_->NextCompleted()) {
      if (!request->is_told_early) look(*request);
      hand_out.Add(request);
    }
  }
  // Until somebody wakes the loop.
  void Wait();

  Request* Find(uint32_t ticket) { return port_->Find(ticket); }
  // Requests that have not been let go of.
  size_t outstanding() const { return port_->outstanding(); }
  const std::shared_ptr<CompletionPort>& port() const { return port_; }

 private:
  Request* Begin(const ModelVersion& version, int64_t deadline_ns);

  Engine* const engine_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_woken_ = false;
  std::shared_ptr<CompletionPort> port_;
  LoopBatcher batcher_;
  V2Decoder decoder_;
};

// What the client is told.
inline Code CodeOf(const Request& request) {
  return request.early_code != Code::kOk ? request.early_code : request.code;
}
// Whether the reply holds 2 x + 1.
bool HasAnswer(const Request& request, const std::vector<float>& x);

}  // namespace sluice
