// MismatchStore: the worst mismatches of one shadow, kept whole so that people can look at them and send them
// again. Bounded: the least bad one makes room, and what is too large keeps its numbers only. The shadow
// thread puts in; loader threads read copies.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "compare/difference.h"
#include "shadow/v2_record.h"

namespace sluice {

struct Mismatch {
  int64_t number = 0;   // counts all mismatches that were ever kept, from 1
  int64_t unix_ms = 0;  // when it was compared
  double excess = 0;    // the worst over the judged outputs
  int64_t rows = 0;
  std::vector<OutputDifference> by_output;  // in the primary's order
  bool has_bodies = false;
  V2Body request;
  V2Body primary;
  V2Body shadow;
};

class MismatchStore {
 public:
  static constexpr size_t kMost = 16;
  static constexpr size_t kMostBodyBytes = size_t{1} << 20;  // of the three together

  // Whether one of this excess would be kept. The thread that puts in.
  bool Wants(double excess);
  void Put(Mismatch mismatch);
  // The worst first.
  std::vector<Mismatch> Read();

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<Mismatch> kept_;
  int64_t last_number_ = 0;
};

}  // namespace sluice
