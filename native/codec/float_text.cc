#include "codec/float_text.h"

#include <charconv>
#include <cstdint>
#include <cstring>

#include "codec/powers_of_ten.h"

namespace sluice {

namespace {

struct Decimal {
  uint32_t digits = 0;
  int exponent = 0;
};

constexpr int kLowestPower = -31;
constexpr int kHighestPower = 45;
constexpr auto kPowers = PowersOfTen<kLowestPower, kHighestPower>();

// floor(log2(10^e)), floor(log10(2^e)) and floor(log10(3/4 * 2^e)), exact for the exponents of a float.
constexpr int FloorLog2OfPowerOfTen(int e) { return (e * 1741647) >> 19; }
constexpr int FloorLog10OfPowerOfTwo(int e) { return (e * 1262611) >> 22; }
constexpr int FloorLog10OfThreeQuarters(int e) { return (e * 1262611 - 524031) >> 22; }

// The first 32 bits of the product, with the lowest one set when anything behind it is not zero.
uint32_t MultiplyRoundToOdd(uint64_t power, uint32_t factor) {
  const auto product = static_cast<unsigned __int128>(power) * factor;
  const auto high = static_cast<uint32_t>(product >> 64);
  const auto middle = static_cast<uint32_t>(product >> 32);
  return high | (middle > 1 ? 1u : 0u);
}

// The shortest decimal inside the interval that rounds to `value`, of several the nearest. Bits of a finite
// value above zero.
Decimal ShortestDecimal(uint32_t bits) {
  const uint32_t fraction = bits & 0x7fffff;
  const uint32_t biased = bits >> 23;
  const uint32_t significand = biased != 0 ? fraction | 0x800000 : fraction;
  const int exponent = static_cast<int>(biased != 0 ? biased : 1) - 150;
  const bool is_even = significand % 2 == 0;
  // Below a power of two the neighbour is half as far.
  const bool is_lower_closer = fraction == 0 && biased > 1;
  const int k = is_lower_closer ? FloorLog10OfThreeQuarters(exponent) : FloorLog10OfPowerOfTwo(exponent);
  const int shift = exponent + FloorLog2OfPowerOfTen(-k) + 1;
  // One more than the floor: the products must not fall short.
  const uint64_t power = kPowers[static_cast<size_t>(-k - kLowestPower)] + 1;
  const uint32_t center = 4 * significand;
  const uint32_t below = MultiplyRoundToOdd(power, (center - 2 + is_lower_closer) << shift);
  const uint32_t middle = MultiplyRoundToOdd(power, center << shift);
  const uint32_t above = MultiplyRoundToOdd(power, (center + 2) << shift);
  const uint32_t lowest = below + (is_even ? 0 : 1);
  const uint32_t highest = above - (is_even ? 0 : 1);

  const uint32_t s = middle / 4;
  if (s >= 10) {
    const uint32_t tens = s / 10;
    const bool is_lower_inside = lowest <= 40 * tens;
    const bool is_upper_inside = 40 * tens + 40 <= highest;
    if (is_lower_inside != is_upper_inside) return {tens + (is_upper_inside ? 1 : 0), k + 1};
  }
  const bool is_lower_inside = lowest <= 4 * s;
  const bool is_upper_inside = 4 * s + 4 <= highest;
  if (is_lower_inside != is_upper_inside) return {s + (is_upper_inside ? 1 : 0), k};
  const uint32_t half = 4 * s + 2;
  const bool is_up = middle > half || (middle == half && s % 2 != 0);
  return {s + (is_up ? 1 : 0), k};
}

constexpr char kPairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

int CountDigits(uint32_t value) {
  if (value < 10000) return value < 100 ? (value < 10 ? 1 : 2) : (value < 1000 ? 3 : 4);
  if (value < 1000000) return value < 100000 ? 5 : 6;
  return value < 100000000 ? (value < 10000000 ? 7 : 8) : 9;
}

// Exactly `count` digits at `at`.
void WriteDigits(char* at, uint32_t value, int count) {
  char* end = at + count;
  while (end - at >= 2) {
    end -= 2;
    std::memcpy(end, kPairs + 2 * (value % 100), 2);
    value /= 100;
  }
  if (end > at) *at = static_cast<char>('0' + value);
}

char* WriteScientific(char* at, uint32_t digits, int count, int exponent) {
  WriteDigits(at + 1, digits, count);
  at[0] = at[1];
  at[1] = '.';
  at += count > 1 ? count + 1 : 1;
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  std::memcpy(at, kPairs + 2 * (exponent < 0 ? -exponent : exponent), 2);
  return at + 2;
}

}  // namespace

char* WriteFloat(char* at, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits >> 31) != 0) {
    *at++ = '-';
    bits &= 0x7fffffff;
  }
  if (bits == 0) {
    *at++ = '0';
    return at;
  }
  Decimal decimal = ShortestDecimal(bits);
  while (decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    ++decimal.exponent;
  }
  const int count = CountDigits(decimal.digits);
  // Of the first digit.
  const int exponent = decimal.exponent + count - 1;
  const int scientific_size = count + (count > 1 ? 1 : 0) + 4;
  if (exponent < 0) {
    // 0.000ddd
    if (count + 1 - exponent > scientific_size) return WriteScientific(at, decimal.digits, count, exponent);
    std::memset(at, '0', static_cast<size_t>(1 - exponent));
    at[1] = '.';
    WriteDigits(at + 1 - exponent, decimal.digits, count);
    return at + 1 - exponent + count;
  }
  if (decimal.exponent < 0) {
    // dd.ddd: always shorter.
    WriteDigits(at + 1, decimal.digits, count);
    std::memmove(at, at + 1, static_cast<size_t>(exponent + 1));
    at[exponent + 1] = '.';
    return at + count + 1;
  }
  if (exponent + 1 > scientific_size) return WriteScientific(at, decimal.digits, count, exponent);
  // An integer is written with all its own digits, of which the shortest form may have fewer.
  float positive;
  std::memcpy(&positive, &bits, sizeof bits);
  return std::to_chars(at, at + kLongestFloat, static_cast<uint64_t>(positive)).ptr;
}

}  // namespace sluice
