// The requests of a run as bytes ready for the socket, with the reply each must get. Read once before the
// run, constant afterwards; the senders point into it, so it outlives them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.h"
#include "random.h"

namespace sluice::load {

struct PreparedRequest {
  // For the socket.
  std::string bytes;
  // The reply must be one of them; empty: anything.
  std::vector<std::string> expected_bodies;
  size_t expected_float_bytes = 0;
  uint32_t group = 0;
  // Where in `bytes` a WebSocket message begins.
  size_t message_at = 0;
  // Where in `bytes` the id of a WebSocket message lies; -1: none.
  int64_t id_at = -1;
};

class RequestSet {
 public:
  explicit RequestSet(const Options& options);

  const PreparedRequest& operator[](uint32_t index) const { return requests_[index]; }

  uint32_t size() const { return static_cast<uint32_t>(requests_.size()); }
  // Names in the order in which they first came.
  const std::vector<std::string>& groups() const { return groups_; }

  // By weight.
  uint32_t Choose(Random* random) const;

 private:
  std::vector<PreparedRequest> requests_;
  std::vector<std::string> groups_;
  std::vector<double> upper_;
};

}  // namespace sluice::load
