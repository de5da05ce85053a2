// Fair share of the workers between model versions: start-time fair queueing over measured run time. A
// version pays its run time divided by its weight; the one that has paid least is served next. Guarded by the
// scheduler's mutex.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice {

class FairShare {
 public:
  explicit FairShare(double weight) : weight_(weight > 0 ? weight : 1) {}

  double paid_ns() const { return paid_ns_; }
  // A version that comes back pays from where the others are: idle time is not saved up.
  void CatchUp(double floor_ns) { paid_ns_ = std::max(paid_ns_, floor_ns); }
  // At the start of a run its estimate is paid, at the end the difference.
  void Pay(int64_t run_ns) { paid_ns_ += static_cast<double>(run_ns) / weight_; }

 private:
  const double weight_;
  double paid_ns_ = 0;
};

}  // namespace sluice
