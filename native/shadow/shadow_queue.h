// ShadowQueue: what waits for one shadow: the decoded request and the primary's answer beside it. Bounded by
// pairs and by bytes. Loops and workers put in and never wait: where the lock is not free for a moment, or
// there is no room, they are refused. One shadow thread takes out. Owns the pairs; their memory is used
// again. Room for all of them is made at the beginning: nothing throws afterwards.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "codec/output_rows.h"
#include "memory/aligned_buffer.h"
#include "schedule/request.h"

namespace sluice {

struct ShadowPair {
  Request request;                  // the shadow's: tensors taken from the primary's
  std::vector<OutputRows> primary;  // bytes lie in `outputs`
  AlignedBuffer outputs;
  int64_t primary_ns = 0;  // the run of its batch
  size_t bytes = 0;
  bool fits = true;  // into the shadow's padding rules
};

struct ShadowLimits {
  size_t pairs = 256;
  size_t bytes = size_t{64} << 20;
  // How long the shadow thread pauses where less than a full run waits; half of the pairs or bytes wake it
  // before. Each time it runs, the next requests on its core find caches that are not theirs any more, so it
  // runs seldom and much.
  std::chrono::nanoseconds nap = std::chrono::milliseconds(5);
  // The shadow thread may be put aside by the system while it holds the lock: then a sample is lost, not
  // time.
  int lock_tries = 32;
};

// Why a sample was dropped when the primary had answered it.
enum class ShadowDrop : int { kQueueFull = 0, kBytesFull, kBusy, kClosed, kTooManyRows, kNoMemory, kCount };

class ShadowQueue {
 public:
  explicit ShadowQueue(const ShadowLimits& limits);

  // A pair to fill, or null with the reason. Until Commit or Abandon the queue is locked, so fill it quickly.
  ShadowPair* Begin(size_t bytes, ShadowDrop* drop);
  void Commit(ShadowPair* pair);
  void Abandon() { mutex_.unlock(); }

  size_t most_pairs() const { return limits_.pairs; }

  // The shadow thread: waits for pairs, a while for `rows` rows of them, and takes those, from the oldest on,
  // that may share a run of as many. Empty once closed. `pairs` has room for all.
  void Take(int64_t rows, std::vector<ShadowPair*>* pairs);
  void Recycle(const std::vector<ShadowPair*>& pairs);
  // Pauses, whatever comes; not longer than until the queue is closed.
  void Rest(std::chrono::nanoseconds time);

  // Refuses from here on; answers how many pairs waited and will not run.
  size_t Close();

  size_t waiting() const { return waiting_count_.load(std::memory_order_relaxed); }
  size_t waiting_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }

 private:
  enum class Waiter : uint8_t { kNone, kNaps, kSleeps };

  bool TryLock();
  bool IsHalfFull() const { return 2 * count_ >= limits_.pairs || 2 * waiting_bytes() > limits_.bytes; }

  const ShadowLimits limits_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<std::unique_ptr<ShadowPair>> all_;
  std::vector<ShadowPair*> free_;
  std::vector<ShadowPair*> ring_;  // of limits_.pairs places
  size_t first_ = 0;
  size_t count_ = 0;
  int64_t waiting_rows_ = 0;
  Waiter waiter_ = Waiter::kNone;  // the shadow thread, until it is woken
  bool is_closed_ = false;
  std::atomic<bool> was_busy_{false};  // the last one who wanted the lock did not get it
  // Written under the lock, read by anybody.
  std::atomic<size_t> waiting_count_{0};
  std::atomic<size_t> held_bytes_{0};  // waiting or being run
};

}  // namespace sluice
