// FrameDecoder: one message of the WebSocket protocol into a request. The message lies in the request's own
// memory, where it is verified and where its tensors stay. One object per decoding thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/v2_plan.h"
#include "schedule/request.h"

namespace sluice {

enum class FrameKind : uint32_t { kRequest = 1, kCancel = 2, kOfServer = 3 };

// What a verified frame says about itself. The texts lie inside the message.
struct FrameHead {
  FrameKind kind = FrameKind::kRequest;
  uint32_t id = 0;
  uint32_t model_number = 0;
  uint32_t deadline_ms = 0;
  uint32_t priority = 0;
  bool wants_times = false;
  std::string_view model;
  std::string_view version;
  std::string_view routing_key;
  std::string_view traceparent;
};

// Verifies the message in `bytes`, which must be aligned to 8 bytes, and reads its head. Pure; any thread.
Status ReadFrameHead(const uint8_t* bytes, size_t size, FrameHead* head);

class FrameDecoder {
 public:
  // `request->body` holds a message that ReadFrameHead found to be a request.
  Status Decode(const ModelSpec& spec, Request* request);

  // Whether Decode takes long enough to leave the event loop.
  static bool IsLong(const ModelSpec& spec, size_t size);

 private:
  static Status Pad(const ModelSpec& spec, Request* request);

  V2Plan plan_;
};

}  // namespace sluice
