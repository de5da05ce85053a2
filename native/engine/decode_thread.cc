#include "engine/decode_thread.h"

#include <exception>

#include "base/clock.h"
#include "engine/complete_requests.h"
#include "engine/refusal.h"

namespace sluice {

bool DecodeThread::Submit(Request* request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (is_closed_) return false;
  if (decoder_ == nullptr) {
    refused_.reserve(1);
    decoder_ = std::make_unique<RequestDecoder>();
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  waiting_.push_back(request);
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
    request->decoded_ns = NowNs();
    // What nobody waits for any more is not worth parsing.
    if (request->is_cancelled.load(std::memory_order_relaxed)) {
      FailRefused(*version, Code::kCancelled, request);
    } else if (request->deadline_ns <= request->decoded_ns) {
      FailRefused(*version, Code::kDeadlinePassed, request);
    } else if (const Status status = Decode(request); !status.ok()) {
      request->Fail(status);
    } else {
      refused_.clear();
      scheduler_->Submit(version->queue(), &request, 1, request->decoded_ns, &refused_);
      if (refused_.empty()) continue;
      FailDropped(&request, 1);
    }
    CompleteRequests(version, &request, 1);
  }
}

Status DecodeThread::Decode(Request* request) {
  Status status;
  try {
    status = decoder_->DecodeOwned(static_cast<ModelVersion*>(request->version)->spec(), request);
  } catch (const std::exception&) {
    // Short enough to need no memory itself.
    status = Status(Code::kInternal, "out of memory");
  }
  request->decoded_ns = NowNs();
  return status;
}

}  // namespace sluice
