// What runs of each inner shape cost beside the version's cost table, learned from runs. Bounded: the shape
// that was seen longest ago makes room. Guarded by the scheduler's mutex.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace sluice {

class ShapeCosts {
 public:
  // 0 for a shape that has not been run.
  double ScaleOf(uint64_t shape_key) const {
    for (const Entry& entry : entries_) {
      if (entry.shape_key == shape_key) return entry.scale;
    }
    return 0;
  }

  // Rows that a batch of the shape is filled to; 0 where nobody measured it.
  int64_t LimitOf(uint64_t shape_key) const {
    for (const Entry& entry : entries_) {
      if (entry.shape_key == shape_key) return entry.limit_rows;
    }
    return 0;
  }

  // What warm-up measured.
  void Seed(uint64_t shape_key, double scale, int64_t limit_rows) {
    if (entries_.size() < kMostShapes) entries_.push_back({shape_key, scale, ++clock_, limit_rows});
  }

  void Observe(uint64_t shape_key, double scale) {
    ++clock_;
    for (Entry& entry : entries_) {
      if (entry.shape_key != shape_key) continue;
      const double bounded = std::clamp(scale, entry.scale / 4, entry.scale * 4);
      entry.scale += (bounded - entry.scale) / 8;
      entry.used = clock_;
      return;
    }
    if (entries_.size() < kMostShapes) {
      try {
        entries_.push_back({shape_key, scale, clock_, 0});
      } catch (const std::bad_alloc&) {
        // The next run tells it again.
      }
      return;
    }
    *std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return a.used < b.used;
    }) = {shape_key, scale, clock_, 0};
  }

 private:
  static constexpr size_t kMostShapes = 64;
  struct Entry {
    uint64_t shape_key;
    double scale;
    uint64_t used;
    int64_t limit_rows;
  };
  std::vector<Entry> entries_;
  uint64_t clock_ = 0;
};

}  // namespace sluice
