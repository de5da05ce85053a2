#include "shadow/shadow_queue.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "schedule/version_queue.h"

namespace sluice {

namespace {

constexpr size_t kKeptBytes = 64 * 1024;
constexpr int kNapsBeforeSleep = 20;

}  // namespace

ShadowQueue::ShadowQueue(const ShadowLimits& limits)
    : limits_{std::max<size_t>(limits.pairs, 1), limits.bytes, limits.nap, limits.lock_tries},
      ring_(limits_.pairs, nullptr) {
  all_.reserve(limits_.pairs);
  free_.reserve(limits_.pairs);
}

// One that was put aside with the lock stays so for as long as the core is wanted: waiting once tells enough.
bool ShadowQueue::TryLock() {
  const int tries = was_busy_.load(std::memory_order_relaxed) ? 1 : limits_.lock_tries;
  for (int i = 0; i < tries; ++i) {
    if (!mutex_.try_lock()) continue;
    if (tries == 1) was_busy_.store(false, std::memory_order_relaxed);
    return true;
  }
  if (tries > 1) was_busy_.store(true, std::memory_order_relaxed);
  return false;
}

ShadowPair* ShadowQueue::Begin(size_t bytes, ShadowDrop* drop) {
  // Without the lock: under full load this is the answer to nearly every sample, and must cost nearly
  // nothing.
  if (waiting_count_.load(std::memory_order_relaxed) >= limits_.pairs) {
    *drop = ShadowDrop::kQueueFull;
    return nullptr;
  }
  if (!TryLock()) {
    *drop = ShadowDrop::kBusy;
    return nullptr;
  }
  const bool is_full = count_ == limits_.pairs || (free_.empty() && all_.size() == limits_.pairs);
  const bool is_over = held_bytes_.load(std::memory_order_relaxed) + bytes > limits_.bytes;
  if (is_closed_ || is_full || is_over) {
    *drop = is_closed_ ? ShadowDrop::kClosed : is_full ? ShadowDrop::kQueueFull : ShadowDrop::kBytesFull;
    mutex_.unlock();
    return nullptr;
  }
  if (free_.empty()) {
    std::unique_ptr<ShadowPair> made(new (std::nothrow) ShadowPair);
    if (made == nullptr) {
      *drop = ShadowDrop::kNoMemory;
      mutex_.unlock();
      return nullptr;
    }
    free_.push_back(made.get());
    all_.push_back(std::move(made));
  }
  ShadowPair* pair = free_.back();
  pair->bytes = bytes;
  return pair;
}

void ShadowQueue::Commit(ShadowPair* pair) {
  free_.pop_back();
  ring_[(first_ + count_) % limits_.pairs] = pair;
  ++count_;
  waiting_count_.store(count_, std::memory_order_relaxed);
  held_bytes_.fetch_add(pair->bytes, std::memory_order_relaxed);
  waiting_rows_ += pair->request.rows;
  const bool wake = waiter_ == Waiter::kSleeps || (waiter_ == Waiter::kNaps && IsHalfFull());
  if (wake) waiter_ = Waiter::kNone;
  mutex_.unlock();
  if (wake) wake_.notify_one();
}

void ShadowQueue::Take(int64_t rows, std::vector<ShadowPair*>* pairs) {
  pairs->clear();
  std::unique_lock<std::mutex> lock(mutex_);
  for (int naps = 0; !is_closed_ && waiting_rows_ < rows && !IsHalfFull(); ++naps) {
    if (naps > 0 && count_ > 0) break;
    if (naps < kNapsBeforeSleep) {
      waiter_ = Waiter::kNaps;
      wake_.wait_for(lock, limits_.nap);
    } else {
      waiter_ = Waiter::kSleeps;
      wake_.wait(lock);
    }
    waiter_ = Waiter::kNone;
  }
  int64_t taken_rows = 0;
  while (count_ > 0) {
    ShadowPair* pair = ring_[first_];
    const bool fits = pairs->empty() || (taken_rows + pair->request.rows <= rows &&
                                         MayShareRun(pairs->front()->request, pair->request));
    if (!fits) break;
    pairs->push_back(pair);
    taken_rows += pair->request.rows;
    first_ = (first_ + 1) % limits_.pairs;
    --count_;
  }
  waiting_rows_ -= taken_rows;
  waiting_count_.store(count_, std::memory_order_relaxed);
}

void ShadowQueue::Recycle(const std::vector<ShadowPair*>& pairs) {
  size_t bytes = 0;
  for (ShadowPair* pair : pairs) {
    pair->request.tensors.Trim(kKeptBytes);
    pair->request.body.Trim(kKeptBytes);
    pair->request.reply.Trim(kKeptBytes);
    pair->outputs.Trim(kKeptBytes);
    bytes += pair->bytes;
  }
  held_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  std::lock_guard<std::mutex> lock(mutex_);
  free_.insert(free_.end(), pairs.begin(), pairs.end());
}

void ShadowQueue::Rest(std::chrono::nanoseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait_for(lock, time, [this] { return is_closed_; });
}

size_t ShadowQueue::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  is_closed_ = true;
  const size_t left = count_;
  count_ = 0;
  waiting_rows_ = 0;
  waiting_count_.store(0, std::memory_order_relaxed);
  wake_.notify_all();
  return left;
}

}  // namespace sluice
