// Makes mutants of a corpus, the same ones for the same seed.
#pragma once

#include <algorithm>
#include <random>

#include "targets.h"

namespace sluice::test {

class Mutator {
 public:
  // `corpus` is not empty, and outlives this.
  Mutator(const std::vector<FuzzBytes>* corpus, uint64_t seed) : corpus_(*corpus), random_(seed) {}

  FuzzBytes Next() {
    FuzzBytes bytes = corpus_[Below(corpus_.size())];
    for (size_t count = 1 + Below(4); count > 0 && !bytes.empty(); --count) Change(&bytes);
    return bytes;
  }

 private:
  size_t Below(size_t end) { return random_() % end; }
  uint8_t Byte() { return static_cast<uint8_t>(random_()); }

  void Change(FuzzBytes* bytes) {
    const size_t at = Below(bytes->size());
    uint8_t& byte = (*bytes)[at];
    switch (Below(7)) {
      case 0:
        byte = Byte();
        break;
      case 1:
        byte ^= static_cast<uint8_t>(1u << Below(8));
        break;
      case 2:
        byte = static_cast<uint8_t>(byte + Below(9) - 4);
        break;
      case 3:
        byte = uint8_t{0xff};
        break;
      case 4:
        bytes->resize(at);
        break;
      case 5:
        bytes->insert(bytes->begin() + static_cast<std::ptrdiff_t>(at), Byte());
        break;
      default:
        Graft(at, bytes);
    }
  }

  void Graft(size_t at, FuzzBytes* bytes) {
    const FuzzBytes& other = corpus_[Below(corpus_.size())];
    if (other.empty()) return;
    const size_t from = Below(other.size());
    const size_t count = std::min({1 + Below(16), bytes->size() - at, other.size() - from});
    std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count,
                bytes->begin() + static_cast<std::ptrdiff_t>(at));
  }

  const std::vector<FuzzBytes>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace sluice::test
