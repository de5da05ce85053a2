// The client's side of WebSocket (RFC 6455): masked binary messages out, whole messages in, in the order they
// were sent, or as frames with ids.
#pragma once

#include <string>
#include <vector>

#include "wire.h"

namespace sluice::load {

// One binary message as a client must send it. It is masked once, before the run: the server has the same
// work, and the generator none.
std::string WsClientFrame(std::string_view message, uint32_t mask);

// Appends a frame to the bundle that is being made, behind its record.
void AppendToBundle(std::string_view frame, std::string* bundle);

class WsWire : public Wire {
 public:
  // With frames, a message tells which request it answers, and how.
  WsWire(const std::string& host, const std::string& path, const std::vector<std::string>& headers,
         bool has_frames);

  std::string_view Greeting() const override { return greeting_; }
  int64_t ReadGreeting(std::string_view input, WireReply* reply) override;
  int64_t Read(std::string_view input, WireReply* reply) override;
  bool ReadBundled(std::string_view* bundle, WireReply* reply) override;

 private:
  bool ReadFrame(WireReply* reply) const;

  std::string greeting_;
  const bool has_frames_;
  // Parts of a message that came in several frames.
  std::string fragments_;
  std::string pong_;
};

}  // namespace sluice::load
