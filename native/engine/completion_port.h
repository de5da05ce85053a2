// CompletionPort: the end of the road of one event loop's requests. It owns the requests (a pool) and their
// tickets; workers put finished requests in, the loop takes them out. One wake-up of the loop serves
// everything that finished until it looks. A request whose client was told early comes out twice: for that
// answer, and when its worker has let go of it. Complete and Post may be called by any thread; everything
// else by the loop alone. Room for every answer is made with the request, and whoever posts brings the room
// along, so that only Acquire can run out of memory.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "schedule/request.h"

namespace sluice {

class CompletionPort {
 public:
  // `wake` makes the loop call NextCompleted soon; called by any thread, at most once per emptying.
  explicit CompletionPort(std::function<void()> wake) : wake_(std::move(wake)) {}
  // Waits for whoever is still waking the loop; nobody may complete anything any more.
  ~CompletionPort();
  CompletionPort(const CompletionPort&) = delete;
  CompletionPort& operator=(const CompletionPort&) = delete;

  // A fresh request with its ticket. May throw std::bad_alloc, as if it had not been called.
  Request* Acquire();
  // The request that holds `ticket`, or null.
  Request* Find(uint32_t ticket);
  // Takes the request back; its ticket is given out again only after RecycleTickets, so that a batch of
  // answers that is being delivered never names one ticket twice.
  void Release(Request* request);
  void RecycleTickets();

  void CompleteOnLoop(Request* request) {
    if (ready_.size() == ready_.capacity()) ForgetTaken();
    ready_.push_back(request);
  }
  // The next finished request, or null. Finished requests still hold their ticket. Runs what was posted, too.
  Request* NextCompleted();
  // Puts back what NextCompleted gave last.
  void PutBack() { --next_ready_; }

  // Work for the loop, which does not throw; a list, because joining two needs no memory.
  using Posts = std::list<std::function<void()>>;

  // Any thread. True: the loop has not come to look yet.
  bool Complete(Request* const* requests, size_t count);
  // `request` is running and its early_code is set: the client is answered now, the request comes back later.
  void TellEarly(Request* request) { Complete(&request, 1); }
  // Takes them out of `posts`; the loop runs them.
  void Post(Posts* posts) noexcept;

  // Requests acquired and not released.
  size_t outstanding() const { return outstanding_; }
  // Requests acquired and not released; `visit` acquires none.
  template <typename Visit>
  void VisitTaken(Visit visit) {
    for (size_t ticket = 0; ticket < all_.size(); ++ticket) {
      if (is_taken_[ticket]) visit(all_[ticket].get());
    }
  }
  // Takes back requests that no version has accepted: bodies that were being collected.
  void ReleaseUnsubmitted();

 private:
  void AddOne();
  void ForgetTaken();
  bool BeginWaking();
  bool Wake();

  const std::function<void()> wake_;
  std::vector<std::unique_ptr<Request>> all_;  // by ticket
  std::vector<bool> is_taken_;                 // by ticket
  std::vector<uint32_t> free_tickets_;
  std::vector<uint32_t> resting_tickets_;
  size_t outstanding_ = 0;
  std::vector<Request*> ready_;  // finished, seen by the loop
  size_t next_ready_ = 0;

  std::mutex mutex_;  // guards what follows
  std::vector<Request*> finished_;
  Posts posted_;
  int waking_ = 0;  // threads inside wake_
  std::condition_variable nobody_wakes_;
  std::atomic<bool> is_woken_{false};
};

}  // namespace sluice
