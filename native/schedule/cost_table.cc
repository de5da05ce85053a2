#include "schedule/cost_table.h"

#include <algorithm>
#include <cmath>

namespace sluice {

namespace {

constexpr double kGain = 1.0 / 16;
constexpr double kMostTimes = 4;

double Load(const std::atomic<double>& number) { return number.load(std::memory_order_relaxed); }

}  // namespace

CostTable& CostTable::operator=(const CostTable& other) {
  if (this == &other) return *this;
  points_.clear();
  for (const Point& point : other.points_) points_.push_back(point);
  load_.store(Load(other.load_));
  deviation_.store(Load(other.deviation_));
  return *this;
}

std::vector<CostPoint> CostTable::points() const {
  std::vector<CostPoint> points;
  for (const Point& point : points_) points.push_back({point.rows, EstimateNs(point.rows)});
  return points;
}

int64_t CostTable::KneeRows(int64_t fallback) const {
  if (points_.empty()) return fallback;
  double best = 0;
  const auto rate = [](const Point& point) {
    return static_cast<double>(point.rows) / std::max(Load(point.run_ns), 1.0);
  };
  for (const Point& point : points_) best = std::max(best, rate(point));
  for (const Point& point : points_) {
    if (rate(point) >= 0.95 * best) return point.rows;
  }
  return points_.back().rows;
}

double CostTable::At(double rows) const {
  if (points_.empty()) return 0;
  const Point& front = points_.front();
  if (points_.size() == 1 || rows <= static_cast<double>(front.rows)) {
    return Load(front.run_ns) * std::max(rows, 1.0) / static_cast<double>(std::max<int64_t>(front.rows, 1));
  }
  size_t upper = 1;
  while (upper + 1 < points_.size() && static_cast<double>(points_[upper].rows) < rows) ++upper;
  const Point& a = points_[upper - 1];
  const Point& b = points_[upper];
  const double slope = (Load(b.run_ns) - Load(a.run_ns)) / static_cast<double>(b.rows - a.rows);
  return std::max(Load(a.run_ns) + slope * (rows - static_cast<double>(a.rows)), 0.0);
}

int64_t CostTable::EstimateNs(int64_t rows) const {
  return std::llround(At(static_cast<double>(rows)) * Load(load_));
}

int64_t CostTable::CautiousNs(int64_t rows) const {
  return std::llround(At(static_cast<double>(rows)) * Load(load_) * (1 + 2 * deviation()));
}

int64_t CostTable::RowsWithin(int64_t run_ns, int64_t most_rows) const {
  if (points_.empty() || EstimateNs(most_rows) <= run_ns) return most_rows;
  int64_t fits = 1, too_many = most_rows;
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (EstimateNs(middle) <= run_ns ? fits : too_many) = middle;
  }
  return fits;
}

void CostTable::Observe(int64_t rows, int64_t run_ns, double scale) {
  if (points_.empty()) return;
  const double shape_free = At(static_cast<double>(rows));
  const double load = Load(load_);
  const double estimate = shape_free * load * scale;
  if (estimate <= 0) return;
  const double times = std::clamp(static_cast<double>(run_ns) / estimate, 1 / kMostTimes, kMostTimes);
  load_.store(load * (1 + kGain * (times - 1)), std::memory_order_relaxed);
  deviation_.store(deviation() + kGain * (std::fabs(times - 1) - deviation()), std::memory_order_relaxed);
  // What is left beside the common change belongs to this size, at a tenth of the pace.
  const double own = 1 + kGain / 10 * (times - 1);
  size_t nearest = 0;
  for (size_t i = 1; i < points_.size(); ++i) {
    if (std::llabs(points_[i].rows - rows) < std::llabs(points_[nearest].rows - rows)) nearest = i;
  }
  Point& point = points_[nearest];
  point.run_ns.store(Load(point.run_ns) * own, std::memory_order_relaxed);
}

}  // namespace sluice
