// LoopRest: whether an event loop that shares its core with the workers pauses after it has refused requests.
// Each time it wakes, it takes the core and the caches from a run; under overload it would wake for every few
// requests that it refuses anyway. A pause lets more of them gather, and is short beside the time that those
// who are refused have left to ask elsewhere. Loop thread only; decides, does not sleep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace sluice {

class ModelVersion;

class LoopRest {
 public:
  // `longest_ns`: of one pause; 0 = never one, the loop has a core of its own.
  explicit LoopRest(int64_t longest_ns) : longest_ns_(longest_ns) {}

  // A request was refused because of what waits for `version`, which is compared, never looked into.
  void Refused(const ModelVersion* version, int64_t now_ns, int64_t deadline_ns) {
    Served(version, now_ns);
    crowded_ = version;
    has_refused_ = true;
    least_left_ns_ = std::min(least_left_ns_, deadline_ns - now_ns);
  }
  void Served(const ModelVersion* version, int64_t now_ns) {
    if (version != crowded_) other_ns_ = now_ns;
  }
  bool has_refused() const { return has_refused_; }

  // At the end of a tick: for how long. Another version's requests would pay for the pause, so there is none
  // while some have come lately.
  int64_t TakeNs(int64_t now_ns) {
    const bool may_rest = has_refused_ && now_ns - other_ns_ >= kCompanyNs;
    const int64_t rest_ns = std::min(longest_ns_, std::max<int64_t>(least_left_ns_, 0) / kParts);
    has_refused_ = false;
    least_left_ns_ = kAllTime;
    return may_rest ? rest_ns : 0;
  }

 private:
  static constexpr int64_t kCompanyNs = 100'000'000;
  static constexpr int64_t kAllTime = std::numeric_limits<int64_t>::max();
  // A pause is at most this part of the time that a refused request had left.
  static constexpr int64_t kParts = 32;

  const int64_t longest_ns_;
  const ModelVersion* crowded_ = nullptr;
  int64_t other_ns_ = 0;              // when a version other than the crowded one had requests last
  int64_t least_left_ns_ = kAllTime;  // of those refused in this tick
  bool has_refused_ = false;
};

}  // namespace sluice
