// The last step of a finished request on its loop: the reply is passed on, the request goes back to its pool,
// and its version is held no longer. One object per round of answers; what a batch shares is done once. Loop
// thread only.
#pragma once

#include "base/clock.h"
#include "engine/completion_port.h"
#include "engine/model_version.h"

namespace sluice {

class HandOut {
 public:
  explicit HandOut(CompletionPort* port) : port_(port), now_ns_(NowNs()) {}
  ~HandOut() { LetGo(); }
  int64_t now_ns() const { return now_ns_; }
  HandOut(const HandOut&) = delete;
  HandOut& operator=(const HandOut&) = delete;

  // `request` came from NextCompleted; its reply has been copied or is not wanted.
  void Add(Request* request) {
    if (request->early_code != Code::kOk && !request->is_told_early) {
      request->is_told_early = true;  // still in its run: the next time it is let go
      return;
    }
    auto* version = static_cast<ModelVersion*>(request->version);
    if (version == nullptr) {  // refused before one had it
      port_->Release(request);
      return;
    }
    const bool is_ok = request->code == Code::kOk;
    if (version != version_ || request->ended_ns != ended_ns_ || request->wire != wire_) LetGo();
    version_ = version;
    ended_ns_ = request->ended_ns;
    wire_ = request->wire;
    ++count_;
    if (is_ok) ++ok_count_;
    port_->Release(request);
  }

 private:
  void LetGo() {
    if (count_ == 0) return;
    if (ok_count_ > 0) version_->stats.Sent(wire_, ok_count_, now_ns_ - ended_ns_);
    version_->HandedOut(count_);
    count_ = 0;
    ok_count_ = 0;
  }

  CompletionPort* const port_;
  const int64_t now_ns_;
  // What the requests that are counted below have in common.
  ModelVersion* version_ = nullptr;
  int64_t ended_ns_ = 0;
  WireForm wire_ = WireForm::kV2;
  int64_t count_ = 0;
  uint64_t ok_count_ = 0;
};

}  // namespace sluice
