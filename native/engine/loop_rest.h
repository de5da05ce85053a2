// LoopRest: whether an event loop that shares its core with the workers pauses after it has refused requests.
// Each time it wakes, it takes the core and the caches from a run; under overload it would wake for every few
// requests that it refuses anyway. A pause lets more of them gather. Loop thread only; decides, does not
// sleep.
#pragma once

#include <cstdint>

namespace sluice {

class ModelVersion;

class LoopRest {
 public:
  // `rest_ns`: how long a pause is; 0 = never one, the loop has a core of its own.
  explicit LoopRest(int64_t rest_ns) : rest_ns_(rest_ns) {}

  // A request was refused because of what waits for `version`, which is compared, never looked into.
  void Refused(const ModelVersion* version, int64_t now_ns) {
    Served(version, now_ns);
    crowded_ = version;
    has_refused_ = true;
  }
  void Served(const ModelVersion* version, int64_t now_ns) {
    if (version != crowded_) other_ns_ = now_ns;
  }
  bool has_refused() const { return has_refused_; }

  // At the end of a tick: for how long. Another version's requests would pay for the pause, so there is none
  // while some have come lately.
  int64_t TakeNs(int64_t now_ns) {
    const bool may_rest = has_refused_ && now_ns - other_ns_ >= kCompanyNs;
    has_refused_ = false;
    return may_rest ? rest_ns_ : 0;
  }

 private:
  static constexpr int64_t kCompanyNs = 100'000'000;

  const int64_t rest_ns_;
  const ModelVersion* crowded_ = nullptr;
  int64_t other_ns_ = 0;  // when a version other than the crowded one had requests last
  bool has_refused_ = false;
};

}  // namespace sluice
