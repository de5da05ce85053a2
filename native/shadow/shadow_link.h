// ShadowLink: one version that runs in the shadow of another. It takes sampled requests from the primary once
// they are answered, runs them on a thread of its own, and compares the answers there. A run cannot be
// interrupted, so a shadow on one of the engine's workers would delay the primary by as much as it hangs; its
// own thread has the system's idle class and gives way at any instant. Shared by the requests that carry it,
// by its thread and by its table; holds its version until the thread has ended.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "compare/difference.h"
#include "engine/answer_tap.h"
#include "engine/model_version.h"
#include "shadow/match_signature.h"
#include "shadow/mismatch_store.h"
#include "shadow/shadow_queue.h"
#include "shadow/shadow_totals.h"

namespace sluice {

// How long a shadow rests before its next run, after the last one stood ready for `wait_ns` while others had
// the cores: where they are wanted, each of its runs is felt, by the caches it leaves behind.
std::chrono::nanoseconds RestAfter(int64_t wait_ns);

struct ShadowRules {
  std::vector<CompareRule> by_output;  // in the primary's order
  ShadowLimits limits;
};

class ShadowLink final : public AnswerTap, public std::enable_shared_from_this<ShadowLink> {
 public:
  // Both versions are started. Refuses a shadow that cannot take the primary's requests. May throw, as if it
  // had not been called.
  static Status Open(const ModelSpec& primary, ModelVersion* shadow, ShadowRules rules,
                     std::shared_ptr<ShadowLink>* link);
  ~ShadowLink() override = default;

  void Sampled() { totals_.sampled.fetch_add(1, std::memory_order_relaxed); }
  void Answered(Request* request, const std::vector<OutputRows>& outputs, int64_t run_ns) override;

  // Takes nothing more, forgets what waits. False when a run did not end in time: the thread then ends, and
  // lets its version go, whenever the run does.
  bool Close(std::chrono::milliseconds patience);
  bool has_ended() {
    std::lock_guard<std::mutex> lock(mutex_);
    return has_ended_;
  }

  const ModelSpec& primary() const { return primary_; }
  const ModelVersion* shadow() const { return shadow_; }
  const ShadowTotals& totals() const { return totals_; }
  const ShadowQueue& queue() const { return queue_; }
  MismatchStore* store() { return &store_; }

 private:
  ShadowLink(const ModelSpec& primary, ModelVersion* shadow, ShadowRules rules, SignatureMatch match);

  // False where the shadow's rules have no length for the request.
  bool PadAsShadow(Request* request);
  void Work();
  void RunTaken();
  // How many pairs, from the first on, have been compared; fewer than `count` where something failed.
  size_t RunOnce(ShadowPair* const* pairs, size_t count, RunPlace* place) noexcept;
  void Compare(ShadowPair* pair, const std::vector<OutputRows>& outputs, int64_t run_ns);
  void Keep(const ShadowPair& pair, const std::vector<OutputRows>& outputs, double excess);
  void Drop(ShadowDrop reason) {
    totals_.dropped[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  void Skip(ShadowSkip reason) { totals_.skipped[static_cast<size_t>(reason)].Add(1); }

  const ModelSpec primary_;  // a copy: the primary may go before us
  ModelVersion* const shadow_;
  const ModelSpec shadow_spec_;
  const ShadowRules rules_;
  const SignatureMatch match_;
  ShadowQueue queue_;
  ShadowTotals totals_;
  MismatchStore store_;
  // The shadow thread's own, with room for all pairs.
  std::vector<ShadowPair*> taken_;
  std::vector<ShadowPair*> fitting_;
  std::vector<Request*> requests_;
  std::vector<OutputDifference> differences_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable ended_wake_;
  bool has_ended_ = false;
};

}  // namespace sluice
