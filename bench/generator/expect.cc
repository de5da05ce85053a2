#include "expect.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace sluice::load {

namespace {

bool IsNear(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

bool BeginsNumber(std::string_view text, size_t at) {
  const char c = text[at];
  return (c >= '0' && c <= '9') ||
         (c == '-' && at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9');
}

bool IsSameText(std::string_view got, std::string_view expected, double tolerance) {
  size_t i = 0, j = 0;
  while (i < got.size() && j < expected.size()) {
    if (!BeginsNumber(got, i) || !BeginsNumber(expected, j)) {
      if (got[i++] != expected[j++]) return false;
      continue;
    }
    double a = 0, b = 0;
    const auto first = std::from_chars(got.data() + i, got.data() + got.size(), a);
    const auto second = std::from_chars(expected.data() + j, expected.data() + expected.size(), b);
    if (!IsNear(a, b, tolerance)) return false;
    i = static_cast<size_t>(first.ptr - got.data());
    j = static_cast<size_t>(second.ptr - expected.data());
  }
  return i == got.size() && j == expected.size();
}

bool AreSameFloats(std::string_view got, std::string_view expected, double tolerance) {
  for (size_t at = 0; at + sizeof(float) <= expected.size(); at += sizeof(float)) {
    float a, b;
    std::memcpy(&a, got.data() + at, sizeof a);
    std::memcpy(&b, expected.data() + at, sizeof b);
    if (!IsNear(a, b, tolerance)) return false;
  }
  return true;
}

}  // namespace

bool IsExpected(std::string_view got, std::string_view expected, size_t float_bytes, double tolerance) {
  if (got == expected) return true;
  if (tolerance == 0 || got.size() < float_bytes || expected.size() < float_bytes) return false;
  const auto head = [&](std::string_view all) { return all.substr(0, all.size() - float_bytes); };
  const auto tail = [&](std::string_view all) { return all.substr(all.size() - float_bytes); };
  return IsSameText(head(got), head(expected), tolerance) &&
         AreSameFloats(tail(got), tail(expected), tolerance);
}

}  // namespace sluice::load
