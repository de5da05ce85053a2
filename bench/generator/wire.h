// What the sender needs to know of a protocol: the greeting of a new connection, and where a reply ends. One
// wire per thread; views in a reply are valid until the next call or until the input moves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::load {

struct WireReply {
  int status = 0;
  std::string_view body;
  // Instead of a body: several replies, which ReadBundled takes apart.
  std::string_view bundle;
  // Of a message with an id.
  uint32_t id = 0;
  // The peer closes the connection after this reply.
  bool is_last = false;
  // Not an answer to a request (a ping, the reply to the greeting).
  bool is_control = false;
  // Must go back to the peer when not empty.
  std::string_view answer;
};

class Wire {
 public:
  virtual ~Wire() = default;

  // Bytes that open a connection; empty when requests may be sent at once.
  virtual std::string_view Greeting() const = 0;

  // Reads the reply to the greeting. As `Read`.
  virtual int64_t ReadGreeting(std::string_view input, WireReply* reply) = 0;

  // Reads one reply at the beginning of `input`. Answers its length, 0 when there is not enough yet, -1 when
  // the bytes cannot be a reply.
  virtual int64_t Read(std::string_view input, WireReply* reply) = 0;

  // Takes the first reply off `bundle`. False when there is none.
  virtual bool ReadBundled(std::string_view*, WireReply*) { return false; }
};

}  // namespace sluice::load
