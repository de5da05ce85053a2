// DecodeThread: parses long bodies off the event loop, then queues the requests. One thread, started with the
// first long body.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "codec/request_decoder.h"
#include "schedule/request.h"
#include "schedule/scheduler.h"

namespace sluice {

class DecodeThread {
 public:
  explicit DecodeThread(Scheduler* scheduler) : scheduler_(scheduler) {}

  // Event loops. `request->version` and its body are set. False when closed. May throw where memory or a
  // thread is missing, as if it had not been called.
  bool Submit(Request* request);
  // Lets the thread finish what it has; afterwards Submit refuses.
  void Close();
  void Join();

 private:
  void Work();
  Status Decode(Request* request);

  Scheduler* const scheduler_;
  std::unique_ptr<RequestDecoder> decoder_;  // made before its thread
  std::vector<Request*> refused_;            // the thread's
  std::mutex mutex_;                         // guards what follows
  std::condition_variable wake_;
  std::deque<Request*> waiting_;
  std::thread thread_;
  bool is_closed_ = false;
};

}  // namespace sluice
