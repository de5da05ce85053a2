#include "engine/completion_port.h"

namespace sluice {

namespace {
// Memory that a request keeps for the next one; larger buffers go back.
constexpr size_t kKeptBytes = 64 * 1024;
}  // namespace

CompletionPort::~CompletionPort() {
  std::unique_lock<std::mutex> lock(mutex_);
  nobody_wakes_.wait(lock, [this] { return waking_ == 0; });
}

// One request more in the pool, and room for it wherever it may have to stand.
void CompletionPort::AddOne() {
  const size_t count = all_.size() + 1;
  auto request = std::make_unique<Request>();
  if (count > all_.capacity()) {
    const size_t room = 2 * count;
    is_taken_.reserve(room);
    free_tickets_.reserve(room);
    resting_tickets_.reserve(room);
    // A request may stand there twice: told early, and let go.
    ready_.reserve(2 * room);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      finished_.reserve(2 * room);
    }
    all_.reserve(room);
  }
  request->ticket = static_cast<uint32_t>(all_.size());
  request->port = this;
  free_tickets_.push_back(request->ticket);
  is_taken_.push_back(false);
  all_.push_back(std::move(request));
}

Request* CompletionPort::Acquire() {
  if (free_tickets_.empty()) AddOne();
  const uint32_t ticket = free_tickets_.back();
  free_tickets_.pop_back();
  is_taken_[ticket] = true;
  ++outstanding_;
  Request* request = all_[ticket].get();
  request->version = nullptr;
  request->wire = WireForm::kV2;
  request->is_cancelled.store(false, std::memory_order_relaxed);
  request->code = Code::kOk;
  request->early_code = Code::kOk;
  request->is_told_early = false;
  request->phase = Phase::kOutside;
  request->queue_timeout_ns = 0;
  request->done_rows = 0;
  request->reply.Clear();
  request->body.Clear();
  request->reply_head_bytes = 0;
  request->opened_ns = 0;
  request->taken_ns = 0;
  request->held_ns = 0;
  return request;
}

Request* CompletionPort::Find(uint32_t ticket) {
  return ticket < all_.size() && is_taken_[ticket] ? all_[ticket].get() : nullptr;
}

void CompletionPort::Release(Request* request) {
  request->tensors.Trim(kKeptBytes);
  request->body.Trim(kKeptBytes);
  request->reply.Trim(kKeptBytes);
  request->parts.clear();
  request->tap.reset();
  is_taken_[request->ticket] = false;
  resting_tickets_.push_back(request->ticket);
  --outstanding_;
}

void CompletionPort::RecycleTickets() {
  free_tickets_.insert(free_tickets_.end(), resting_tickets_.begin(), resting_tickets_.end());
  resting_tickets_.clear();
}

void CompletionPort::ForgetTaken() {
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(next_ready_));
  next_ready_ = 0;
}

Request* CompletionPort::NextCompleted() {
  while (next_ready_ == ready_.size()) {
    ready_.clear();
    next_ready_ = 0;
    if (!is_woken_.load(std::memory_order_acquire)) return nullptr;
    Posts posted;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      is_woken_.store(false, std::memory_order_release);
      ready_.swap(finished_);
      posted.swap(posted_);
    }
    for (auto& post : posted) post();
  }
  return ready_[next_ready_++];
}

bool CompletionPort::Complete(Request* const* requests, size_t count) {
  bool wakes = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    finished_.insert(finished_.end(), requests, requests + count);
    wakes = BeginWaking();
  }
  return !wakes || Wake();
}

void CompletionPort::Post(Posts* posts) noexcept {
  bool wakes = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    posted_.splice(posted_.end(), *posts);
    wakes = BeginWaking();
  }
  if (wakes) Wake();
}

// Under the mutex, as the loop may take what is finished, and be gone, before it is woken.
bool CompletionPort::BeginWaking() {
  if (is_woken_.exchange(true, std::memory_order_acq_rel)) return false;
  ++waking_;
  return true;
}

bool CompletionPort::Wake() {
  wake_();
  std::lock_guard<std::mutex> lock(mutex_);
  // Under the lock: with nobody waking the port may die.
  if (--waking_ == 0) nobody_wakes_.notify_all();
  return is_woken_.load(std::memory_order_relaxed);
}

void CompletionPort::ReleaseUnsubmitted() {
  VisitTaken([this](Request* request) {
    if (request->version == nullptr) Release(request);
  });
}

}  // namespace sluice
