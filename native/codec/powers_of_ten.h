// The first 64 bits of powers of ten, computed when compiled. Header only.
#pragma once

#include <array>
#include <cstdint>

namespace sluice {

// floor(10^k / 2^e) with e such that bit 63 is the first that is set.
class PowerOfTen {
 public:
  static constexpr uint64_t FirstBits(int k) {
    Limbs number{};
    if (k >= 0) {
      number[0] = 1;
      for (int i = 0; i < k; ++i) MultiplyByTen(&number);
    } else {
      // Floors of floors are the floor of the whole.
      number[kLimbs - 1] = uint64_t{1} << 31;
      for (int i = 0; i < -k; ++i) DivideByTen(&number);
    }
    return Top(number);
  }

 private:
  // Of 32 bits each, the lowest first: room for 10^45 and for 2^383 / 10^31.
  static constexpr int kLimbs = 12;
  using Limbs = std::array<uint64_t, kLimbs>;

  static constexpr void MultiplyByTen(Limbs* number) {
    uint64_t carry = 0;
    for (uint64_t& limb : *number) {
      const uint64_t product = limb * 10 + carry;
      limb = product & 0xffffffff;
      carry = product >> 32;
    }
  }

  static constexpr void DivideByTen(Limbs* number) {
    uint64_t rest = 0;
    for (int i = kLimbs - 1; i >= 0; --i) {
      const uint64_t value = rest << 32 | (*number)[i];
      (*number)[i] = value / 10;
      rest = value % 10;
    }
  }

  static constexpr uint64_t Top(const Limbs& number) {
    int first = kLimbs - 1;
    while (number[first] == 0) --first;
    const auto limb = [&](int i) { return i < 0 ? uint64_t{0} : number[i]; };
    uint64_t top = limb(first) << 32 | limb(first - 1);
    uint64_t next = limb(first - 2);
    while ((top >> 63) == 0) {
      top = top << 1 | (next >> 31 & 1);
      next <<= 1;
    }
    return top;
  }
};

template <int kFirst, int kLast>
constexpr std::array<uint64_t, kLast - kFirst + 1> PowersOfTen() {
  std::array<uint64_t, kLast - kFirst + 1> powers{};
  for (int k = kFirst; k <= kLast; ++k) powers[static_cast<size_t>(k - kFirst)] = PowerOfTen::FirstBits(k);
  return powers;
}

}  // namespace sluice
