#include "binding/addon_state.h"

#include <chrono>
#include <thread>

#include "base/thread_priority.h"
#include "engine/hand_out.h"

namespace sluice {

namespace {
// A run that does not end must not keep the process from ending.
constexpr auto kLongestWait = std::chrono::seconds(5);
}  // namespace

// The thread-safe function, closed under a lock: a worker may wake the loop at the very moment the
// environment goes away.
struct AddonState::Waker {
  std::mutex mutex;
  Napi::ThreadSafeFunction function;
  bool is_closed = false;

  void Wake() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!is_closed) function.NonBlockingCall();
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mutex);
    if (is_closed) return;
    is_closed = true;
    function.Release();
  }
};

AddonState::~AddonState() { Close(); }

Status AddonState::Open(Napi::Env env, const EngineOptions& options, Napi::Function deliver) {
  if (Status status = Engine::Acquire(options, &engine_); !status.ok()) return status;
  waker_ = std::make_shared<Waker>();
  waker_->function = Napi::ThreadSafeFunction::New(env, deliver, "sluice deliver", 0, 1);
  // An idle engine does not keep the process alive; the server's sockets do.
  waker_->function.Unref(env);
  port_ = std::make_shared<CompletionPort>([waker = waker_] { waker->Wake(); });
  batcher_ = std::make_unique<LoopBatcher>(engine_.get(), port_.get());
  BePrompt();
  auto ring = Napi::ArrayBuffer::New(env, kRingWords * sizeof(uint32_t));
  auto replies = Napi::ArrayBuffer::New(env, kReplyBytes);
  ring_ = static_cast<uint32_t*>(ring.Data());
  ring_[kRingHasMore] = ring_[kRingIsRead] = 0;
  replies_ = static_cast<uint8_t*>(replies.Data());
  auto frame_facts = Napi::ArrayBuffer::New(env, (kFrameIsBundle + 1) * sizeof(uint32_t));
  frame_facts_ = static_cast<uint32_t*>(frame_facts.Data());
  frame_facts_reference_ = Napi::Persistent(frame_facts);
  auto frame_choices = Napi::ArrayBuffer::New(env, kChoiceRows * kChoiceFields * sizeof(uint32_t));
  frame_choices_ = static_cast<const uint32_t*>(frame_choices.Data());
  frame_choices_reference_ = Napi::Persistent(frame_choices);
  auto next_shadow = Napi::ArrayBuffer::New(env, sizeof(uint32_t));
  next_shadow_ = static_cast<uint32_t*>(next_shadow.Data());
  *next_shadow_ = 0;
  next_shadow_reference_ = Napi::Persistent(next_shadow);
  auto times = Napi::ArrayBuffer::New(env, kRingRows * kStageCount * sizeof(float));
  times_ = static_cast<float*>(times.Data());
  times_reference_ = Napi::Persistent(times);
  ring_reference_ = Napi::Persistent(ring);
  reply_reference_ = Napi::Persistent(replies);
  return Status();
}

void AddonState::Close() {
  if (engine_ == nullptr) return;
  is_closing_ = true;
  waker_->Close();
  port_->VisitTaken([this](Request* request) { batcher_->Cancel(request); });
  batcher_->Flush();
  const auto give_up = std::chrono::steady_clock::now() + kLongestWait;
  while (port_->outstanding() > 0 && std::chrono::steady_clock::now() < give_up) {
    {
      HandOut hand_out(port_.get());
      while (Request* request = port_->NextCompleted()) hand_out.Add(request);
    }
    // Bodies that were being collected are nobody's any more.
    port_->ReleaseUnsubmitted();
    if (port_->outstanding() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // A worker still inside a run may write into its request and its port: then both, and the engine, are left
  // to the process.
  const bool have_shadows_ended = shadows_.CloseAll(std::chrono::seconds(1));
  if (port_->outstanding() > 0 || !have_shadows_ended) {
    new std::shared_ptr<CompletionPort>(port_);
    new std::shared_ptr<Engine>(engine_);
  }
  batcher_.reset();
  port_.reset();
  engine_.reset();
  is_closing_ = false;
}

}  // namespace sluice
