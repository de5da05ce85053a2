#include "schedule/cost_table.h"

#include <algorithm>

namespace sluice {

int64_t CostTable::KneeRows(int64_t fallback) const {
  if (points_.empty()) return fallback;
  double best = 0;
  for (const CostPoint& point : points_) {
    best = std::max(
        best, static_cast<double>(point.rows) / static_cast<double>(std::max<int64_t>(point.run_ns, 1)));
  }
  for (const CostPoint& point : points_) {
    const double rate =
        static_cast<double>(point.rows) / static_cast<double>(std::max<int64_t>(point.run_ns, 1));
    if (rate >= 0.95 * best) return point.rows;
  }
  return points_.back().rows;
}

int64_t CostTable::EstimateNs(int64_t rows) const {
  if (points_.empty()) return 0;
  if (points_.size() == 1 || rows <= points_.front().rows) {
    return points_.front().run_ns * std::max<int64_t>(rows, 1) / std::max<int64_t>(points_.front().rows, 1);
  }
  size_t upper = 1;
  while (upper + 1 < points_.size() && points_[upper].rows < rows) ++upper;
  const CostPoint& a = points_[upper - 1];
  const CostPoint& b = points_[upper];
  const double slope = static_cast<double>(b.run_ns - a.run_ns) / static_cast<double>(b.rows - a.rows);
  const double estimate = static_cast<double>(a.run_ns) + slope * static_cast<double>(rows - a.rows);
  return std::max<int64_t>(static_cast<int64_t>(estimate), 0);
}

}  // namespace sluice
