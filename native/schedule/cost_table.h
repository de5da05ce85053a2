// CostTable: measured run time over batch size, and what follows from it. Filled at warm-up by one thread,
// then read by any.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice {

struct CostPoint {
  int64_t rows = 0;
  int64_t run_ns = 0;
};

class CostTable {
 public:
  // Points come in ascending order of rows.
  void Add(int64_t rows, int64_t run_ns) { points_.push_back({rows, run_ns}); }
  bool empty() const { return points_.empty(); }
  const std::vector<CostPoint>& points() const { return points_; }

  // The smallest measured batch that reaches 95 % of the best rows per second; `fallback` when nothing was
  // measured.
  int64_t KneeRows(int64_t fallback) const;
  // Run time of `rows`, linear between and beyond the points; 0 when nothing was measured.
  int64_t EstimateNs(int64_t rows) const;

 private:
  std::vector<CostPoint> points_;
};

}  // namespace sluice
