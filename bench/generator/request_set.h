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
  std::string bytes;
  std::string expected_body;
  bool has_expected = false;
};

class RequestSet {
 public:
  explicit RequestSet(const Options& options);

  const PreparedRequest& operator[](uint32_t index) const { return requests_[index]; }

  // By weight.
  uint32_t Choose(Random* random) const;

 private:
  std::vector<PreparedRequest> requests_;
  std::vector<double> upper_;
};

}  // namespace sluice::load
