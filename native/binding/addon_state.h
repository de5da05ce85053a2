// AddonState: what one JavaScript environment (one event loop) has of the addon: its share of the engine, its
// completion port, the memory that answers are read from. No statics: a second environment gets its own. Loop
// thread only.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "codec/v2_decoder.h"
#include "engine/completion_port.h"
#include "engine/engine.h"
#include "engine/loop_batcher.h"

namespace sluice {

// One row of the ring: ticket, error number, offset and length in the reply memory, length of the JSON part.
inline constexpr size_t kRingFields = 5;
inline constexpr size_t kRingRows = 1024;
inline constexpr size_t kReplyBytes = size_t{1} << 20;

class AddonState {
 public:
  ~AddonState();

  // Wires the engine to this environment. `deliver` is called on the loop when workers have finished
  // something.
  Status Open(Napi::Env env, const EngineOptions& options, Napi::Function deliver);
  bool is_open() const { return engine_ != nullptr; }
  // Stops intake, cancels what waits, waits a bounded time for what runs, lets the engine go.
  void Close();

  Engine* engine() { return engine_.get(); }
  std::shared_ptr<Engine> share_engine() { return engine_; }
  std::shared_ptr<CompletionPort> port() { return port_; }
  LoopBatcher* batcher() { return batcher_.get(); }
  V2Decoder* decoder() { return &decoder_; }
  uint32_t* ring() { return ring_; }
  uint8_t* replies() { return replies_; }
  Napi::Value RingBuffer() { return ring_reference_.Value(); }
  Napi::Value ReplyBuffer() { return reply_reference_.Value(); }

  std::string last_error;

 private:
  struct Waker;

  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Waker> waker_;
  std::shared_ptr<CompletionPort> port_;
  std::unique_ptr<LoopBatcher> batcher_;
  V2Decoder decoder_;
  Napi::Reference<Napi::ArrayBuffer> ring_reference_;
  Napi::Reference<Napi::ArrayBuffer> reply_reference_;
  uint32_t* ring_ = nullptr;
  uint8_t* replies_ = nullptr;
};

}  // namespace sluice
