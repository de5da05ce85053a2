#include "hand_loop.h"

#include <cstring>
#include <string>

#include "base/clock.h"

namespace sluice {

ScriptedBody::ScriptedBody(const std::vector<float>& x, size_t width) {
  const std::string head =
      R"({"id":"an id that needs memory of its own","inputs":[{"name":"X","datatype":"FP32","shape":[)" +
      std::to_string(x.size() / width) + "," + std::to_string(width) +
      R"(],"parameters":{"binary_data_size":)" + std::to_string(x.size() * sizeof(float)) +
      R"(}}],"parameters":{"binary_data_output":true}})";
  head_bytes = head.size();
  bytes.resize(head_bytes + x.size() * sizeof(float));
  std::memcpy(bytes.data(), head.data(), head_bytes);
  std::memcpy(bytes.data() + head_bytes, x.data(), x.size() * sizeof(float));
}

HandLoop::HandLoop(Engine* engine)
    : engine_(engine),
      port_(std::make_shared<CompletionPort>([this] {
        std::lock_guard<std::mutex> lock(mutex_);
        is_woken_ = true;
        wake_.notify_one();
      })),
      batcher_(engine, port_.get()) {}

Request* HandLoop::Begin(const ModelVersion& version, int64_t deadline_ns) {
  Request* request = port_->Acquire();
  request->submitted_ns = NowNs();
  request->deadline_ns = request->submitted_ns + (deadline_ns > 0 ? deadline_ns : version.longest_ns());
  return request;
}

Request* HandLoop::Submit(uint32_t handle, const ScriptedBody& body, int64_t deadline_ns,
                          std::shared_ptr<AnswerTap> tap) {
  ModelVersion* version = engine_->Version(handle);
  Request* request = Begin(*version, deadline_ns);
  try {
    const Status status = decoder_.Decode(version->spec(), body.bytes.data(), body.bytes.size(),
                                          static_cast<int64_t>(body.head_bytes), request);
    if (!status.ok()) {
      port_->Release(request);
      return nullptr;
    }
    request->tap = std::move(tap);
    request->decoded_ns = NowNs();
    batcher_.Add(version, handle, request);
  } catch (...) {
    port_->Release(request);
    throw;
  }
  request->version = version;
  version->Accepted();
  return request;
}

Request* HandLoop::SubmitLong(uint32_t handle, const ScriptedBody& body) {
  ModelVersion* version = engine_->Version(handle);
  Request* request = Begin(*version, 0);
  bool is_accepted = false;
  try {
    request->body.Append(body.bytes.data(), body.bytes.size());
    request->head_length = static_cast<int64_t>(body.head_bytes);
    request->version = version;
    version->Accepted();
    is_accepted = true;
    if (engine_->SubmitForDecode(request)) return request;
  } catch (...) {
    if (is_accepted) version->Withdrawn();
    port_->Release(request);
    throw;
  }
  version->Withdrawn();
  port_->Release(request);
  return nullptr;
}

void HandLoop::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return is_woken_; });
  is_woken_ = false;
}

bool HasAnswer(const Request& request, const std::vector<float>& x) {
  if (request.reply.size() != request.reply_head_bytes + x.size() * sizeof(float)) return false;
  for (size_t i = 0; i < x.size(); ++i) {
    float y = 0;
    std::memcpy(&y, request.reply.data() + request.reply_head_bytes + i * sizeof(float), sizeof(y));
    if (y != 2 * x[i] + 1) return false;
  }
  return true;
}

}  // namespace sluice
