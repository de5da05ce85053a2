// A small seeded generator: the same numbers on every machine.
#pragma once

#include <cmath>
#include <cstdint>

namespace sluice::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // least <= x <= most
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(Next() % static_cast<uint64_t>(most - least + 1));
  }
  bool Chance(int percent) { return Between(1, 100) <= percent; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Time to the next of events that come at random.
  int64_t GapNs(double per_second) { return static_cast<int64_t>(-std::log(1 - Unit()) / per_second * 1e9); }

 private:
  uint64_t state_;
};

}  // namespace sluice::test
