#include "shadow/mismatch_store.h"

#include <algorithm>

namespace sluice {

bool MismatchStore::Wants(double excess) {
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_.size() < kMost || excess > kept_.back().excess;
}

void MismatchStore::Put(Mismatch mismatch) {
  std::lock_guard<std::mutex> lock(mutex_);
  mismatch.number = ++last_number_;
  // Of two that are equally bad the older one stays in front.
  const auto at = std::upper_bound(kept_.begin(), kept_.end(), mismatch,
                                   [](const Mismatch& a, const Mismatch& b) { return a.excess > b.excess; });
  kept_.insert(at, std::move(mismatch));
  if (kept_.size() > kMost) kept_.pop_back();
}

std::vector<Mismatch> MismatchStore::Read() {
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_;
}

}  // namespace sluice
