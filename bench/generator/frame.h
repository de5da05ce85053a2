// The little that a load generator must know of Sluice's WebSocket frames (schemas/inference.fbs): where a
// request's id lies, and which request a reply answers, and how. Reads a few words of the buffer, bounds
// checked. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::load {

// Where the 4 bytes of the id lie in the message; -1 where it is no request with an id other than 0.
int64_t FindRequestId(std::string_view message);

struct FrameReply {
  // False for what answers no request: a hello, a goodbye.
  bool is_answer = false;
  uint32_t id = 0;
  // As HTTP has it: 200, or what the error's code stands for.
  int status = 0;
};

// False when the message is not a frame.
bool ReadFrameReply(std::string_view message, FrameReply* reply);

}  // namespace sluice::load
