#include "engine/decode_thread.h"

#include <exception>
#include <memory>

#include "base/clock.h"
#include "codec/request_decoder.h"
#include "engine/complete_requests.h"
#include "engine/refusal.h"

namespace sluice {

bool DecodeThread::Submit(Request* request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_closed_) return false;
  waiting_.push_back(request);
  if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  wake_.notify_one();
  return true;
}

void DecodeThread::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  is_closed_ = true;
  wake_.notify_one();
}

void DecodeThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void DecodeThread::Work() {
  auto decoder = std::make_unique<RequestDecoder>();
  for (;;) {
    Request* request = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return is_closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      request = waiting_.front();
      waiting_.pop_front();
    }
    auto* version = static_cast<ModelVersion*>(request->version);
    Status status;
    // What nobody waits for any more is not worth parsing.
    if (request->is_cancelled.load(std::memory_order_relaxed)) {
      status = RefusalOf(*version, Code::kCancelled);
    } else if (request->deadline_ns <= NowNs()) {
      status = RefusalOf(*version, Code::kDeadlinePassed);
    } else {
      try {
        status = decoder->DecodeOwned(version->spec(), request);
      } catch (const std::exception&) {
        status = Status(Code::kInternal, "out of memory while the request was decoded");
      }
    }
    request->decoded_ns = NowNs();
    if (status.ok()) {
      std::vector<Request*> refused;
      scheduler_->Submit(version->queue(), &request, 1, request->decoded_ns, &refused);
      if (refused.empty()) continue;
      status = RefusalOf(*version, request->drop_code);
    }
    request->Fail(status);
    CompleteRequests(version, &request, 1);
  }
}

}  // namespace sluice
