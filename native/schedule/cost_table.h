// CostTable: what a run costs over its batch size, measured at warm-up and corrected by every run since. Made
// on the loader thread; afterwards any thread may read and correct it: each number is atomic, a correction
// that is lost among several is made by the next run.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace sluice {

struct CostPoint {
  int64_t rows = 0;
  int64_t run_ns = 0;
};

class CostTable {
 public:
  CostTable() = default;
  CostTable(const CostTable& other) { *this = other; }
  CostTable& operator=(const CostTable& other);

  // Warm-up. Points come in ascending order of rows.
  void Add(int64_t rows, int64_t run_ns) { points_.emplace_back(rows, run_ns); }
  bool empty() const { return points_.empty(); }
  // As they stand now.
  std::vector<CostPoint> points() const;

  // The smallest batch that reaches 95 % of the best rows per second; `fallback` when nothing was measured.
  int64_t KneeRows(int64_t fallback) const;
  // Run time of `rows`, linear between and beyond the points; 0 when nothing is known.
  int64_t EstimateNs(int64_t rows) const;
  // The same with a margin for how much runs differ from their estimates: two mean deviations.
  int64_t CautiousNs(int64_t rows) const;
  // The most rows that are estimated to run within `run_ns`; at least 1, at most `most_rows`.
  int64_t RowsWithin(int64_t run_ns, int64_t most_rows) const;
  // How much runs differ from their estimates, in parts of the estimate.
  double deviation() const { return deviation_.load(std::memory_order_relaxed); }

  // After a run. `scale` is what the run's shape costs beside the shape of the table. One run counts at most
  // four times, and at least a quarter of, its estimate, so that a stalled machine does not spoil the table.
  void Observe(int64_t rows, int64_t run_ns, double scale);

 private:
  struct Point {
    Point(int64_t rows, int64_t run_ns) : rows(rows), run_ns(static_cast<double>(run_ns)) {}
    Point(const Point& other) : rows(other.rows), run_ns(other.run_ns.load()) {}
    int64_t rows;
    std::atomic<double> run_ns;
  };

  double At(double rows) const;

  std::vector<Point> points_;
  // All sizes became slower or faster together (a busy machine): corrected apart, so that sizes which nobody
  // runs do not look better than those in use.
  std::atomic<double> load_{1.0};
  std::atomic<double> deviation_{0.05};
};

}  // namespace sluice
