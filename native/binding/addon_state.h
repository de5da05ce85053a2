// AddonState: what one JavaScript environment (one event loop) has of the addon: its share of the engine, its
// completion port, the memory that answers are read from. No statics: a second environment gets its own. Loop
// thread only.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "codec/request_decoder.h"
#include "engine/completion_port.h"
#include "engine/engine.h"
#include "engine/loop_batcher.h"
#include "shadow/shadow_links.h"

namespace sluice {

// One row of the ring: ticket, error number, offset and length in the reply memory, length of the JSON part
// (of an error: after how many ms to try again, 0 = nobody knows).
inline constexpr size_t kRingFields = 5;
inline constexpr size_t kRingRows = 1024;
inline constexpr size_t kReplyBytes = size_t{1} << 20;
// Two words behind the rows. Written by Flush, Drain and TakeLong: there may be more than stands in the ring;
// otherwise what finishes later comes with a wake-up or the end of a tick. Written by JavaScript: the rows
// are delivered.
inline constexpr size_t kRingHasMore = kRingRows * kRingFields;
inline constexpr size_t kRingIsRead = kRingHasMore + 1;
inline constexpr size_t kRingWords = kRingIsRead + 1;

// What ReadFrames writes for JavaScript, one number each, frame by frame; src/engine/frame-facts.ts has the
// same order.
enum FrameFact : size_t {
  kFrameKind,
  kFrameId,
  kFrameModelNumber,
  kFrameDeadlineMs,
  kFramePriority,
  kFrameFlags,
  kFrameBody,  // of a request: what SubmitFrames and BodyDrop call it
  kFrameBytes,
  kFrameFacts,
};
// Frames that one message may bundle. Behind their facts: whether the message was a bundle.
inline constexpr size_t kFrameRows = 256;
inline constexpr size_t kFrameIsBundle = kFrameRows * kFrameFacts;

// What JavaScript writes down for a frame that it has chosen a version for; src/engine/frame-facts.ts has the
// same order. Read at the end of the tick, or when all rows are full.
enum FrameChoice : size_t {
  kChoiceBody,
  kChoiceHandle,
  kChoiceDeadlineMs,
  kChoicePriority,
  kChoiceShadow,  // 0: none
  kChoiceFields,
};
inline constexpr size_t kChoiceRows = 256;

class AddonState {
 public:
  AddonState() = default;
  ~AddonState();
  AddonState(const AddonState&) = delete;
  AddonState& operator=(const AddonState&) = delete;

  // Wires the engine to this environment. `deliver` is called on the loop when workers have finished
  // something.
  Status Open(Napi::Env env, const EngineOptions& options, Napi::Function deliver);
  bool is_open() const { return engine_ != nullptr; }
  // Stops intake, cancels what waits, waits a bounded time for what runs, lets the engine go.
  void Close();
  // JavaScript may be gone already: promises stay as they are.
  bool is_closing() const { return is_closing_; }

  Engine* engine() { return engine_.get(); }
  std::shared_ptr<CompletionPort> port() { return port_; }
  // A fresh request of the port. The tickets of answers are free again once all of the ring has been read.
  Request* Acquire() {
    if (std::exchange(ring_[kRingIsRead], 0) != 0) port_->RecycleTickets();
    return port_->Acquire();
  }
  LoopBatcher* batcher() { return batcher_.get(); }
  RequestDecoder* decoder() { return &decoder_; }
  uint32_t* ring() { return ring_; }
  uint8_t* replies() { return replies_; }
  uint32_t* frame_facts() { return frame_facts_; }
  Napi::Value FrameFactsBuffer() { return frame_facts_reference_.Value(); }
  const uint32_t* frame_choices() const { return frame_choices_; }
  Napi::Value FrameChoicesBuffer() { return frame_choices_reference_.Value(); }
  // Texts of frames that stand for a number; 0: this one does not.
  void NumberFrameModel(std::string text, uint32_t number) {
    latest_frame_model_ = nullptr;
    frame_models_[std::move(text)] = number;
  }
  uint32_t FrameModelNumber(std::string_view text) {
    // Who names a model mostly names the one that was named last.
    if (latest_frame_model_ == nullptr || latest_frame_model_->first != text) {
      const auto known = frame_models_.find(text);
      if (known == frame_models_.end()) return 0;
      latest_frame_model_ = &*known;
    }
    return latest_frame_model_->second;
  }
  ShadowLinks* shadows() { return &shadows_; }
  // The shadow that JavaScript wrote down for the next request, once; null for none.
  std::shared_ptr<ShadowLink> TakeNextShadow() {
    if (*next_shadow_ == 0) return nullptr;
    return shadows_.Find(std::exchange(*next_shadow_, 0));
  }
  Napi::Value NextShadowBuffer() { return next_shadow_reference_.Value(); }
  Napi::Value RingBuffer() { return ring_reference_.Value(); }
  float* times() { return times_; }
  Napi::Value TimesBuffer() { return times_reference_.Value(); }
  Napi::Value ReplyBuffer() { return reply_reference_.Value(); }

  std::string last_error;
  uint32_t last_retry_ms = 0;

 private:
  struct Waker;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  bool is_closing_ = false;
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<Waker> waker_;
  std::shared_ptr<CompletionPort> port_;
  std::unique_ptr<LoopBatcher> batcher_;
  RequestDecoder decoder_;
  Napi::Reference<Napi::ArrayBuffer> ring_reference_;
  Napi::Reference<Napi::ArrayBuffer> reply_reference_;
  Napi::Reference<Napi::ArrayBuffer> frame_facts_reference_;
  Napi::Reference<Napi::ArrayBuffer> frame_choices_reference_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> frame_models_;
  const std::pair<const std::string, uint32_t>* latest_frame_model_ = nullptr;  // of frame_models_
  ShadowLinks shadows_;
  Napi::Reference<Napi::ArrayBuffer> next_shadow_reference_;
  uint32_t* next_shadow_ = nullptr;
  Napi::Reference<Napi::ArrayBuffer> times_reference_;
  float* times_ = nullptr;  // stage times of each row of the ring
  uint32_t* ring_ = nullptr;
  uint32_t* frame_facts_ = nullptr;
  const uint32_t* frame_choices_ = nullptr;
  uint8_t* replies_ = nullptr;
};

}  // namespace sluice
