// The text of floats against the standard library's.
#include "codec/float_text.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <string>

#include "check.h"

namespace sluice {
namespace {

std::string Ours(float value) {
  char text[kLongestFloat];
  return std::string(text, WriteFloat(text, value));
}

std::string Standard(float value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

TEST("floats are written as the standard library writes them, over all magnitudes") {
  // A prime step meets every exponent about 420 times.
  for (uint64_t bits = 1; bits <= UINT32_MAX; bits += 40'009) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!std::isfinite(value)) continue;
    if (Ours(value) != Standard(value)) CHECK_EQ(Ours(value), Standard(value));
  }
}

TEST("floats at the ends and at the powers of two and ten are written as the standard library writes them") {
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (const uint32_t fraction : {0u, 1u, 0x7fffffu}) {
      const auto value = std::bit_cast<float>(exponent << 23 | fraction);
      CHECK_EQ(Ours(value), Standard(value));
      CHECK_EQ(Ours(-value), Standard(-value));
    }
  }
  for (int power = -45; power <= 38; ++power) {
    const auto value = static_cast<float>(std::pow(10.0, power));
    CHECK_EQ(Ours(value), Standard(value));
  }
  for (int integer = 0; integer < 3000; ++integer) {
    CHECK_EQ(Ours(static_cast<float>(integer)), std::to_string(integer));
  }
}

}  // namespace
}  // namespace sluice
