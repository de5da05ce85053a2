// The comparison of two answers against values worked out on paper.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "compare/compare_output.h"
#include "compare/float_bits.h"
#include "compare/rank_compare.h"

namespace sluice {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

template <typename T>
TensorView View(DataType type, const std::vector<T>& values, std::vector<int64_t> dims) {
  TensorView view;
  view.type = type;
  for (const int64_t dim : dims) view.dims.Push(dim);
  view.bytes = reinterpret_cast<const uint8_t*>(values.data());
  view.byte_count = values.size() * sizeof(T);
  view.elements = static_cast<int64_t>(values.size());
  return view;
}

template <typename T>
OutputDifference Compare(DataType type, const std::vector<T>& primary, const std::vector<T>& shadow,
                         std::vector<int64_t> dims, const CompareRule& rule = {}) {
  return CompareOutput(View(type, primary, dims), View(type, shadow, dims), dims[0], rule);
}

bool Near(double got, double expected) {
  return std::fabs(got - expected) <= 1e-12 * std::max(1.0, std::fabs(expected));
}

TEST("compare: absolute and relative errors of a row, and the worst element") {
  // Distances 0, 0.5, 1, 0; shares of the larger: 0, 0.5/2.5 = 0.2, 1/4 = 0.25, 0.
  const OutputDifference d =
      Compare<double>(DataType::kFp64, {1, 2, 4, 0}, {1, 2.5, 3, 0}, {1, 4}, {0.1, 0.1, 0.9, 0});
  CHECK_EQ(d.max_absolute, 1.0);
  CHECK(Near(d.mean_absolute, 1.5 / 4));
  CHECK_EQ(d.max_relative, 0.25);
  CHECK(Near(d.mean_relative, 0.45 / 4));
  // Allowed: 0.1 + 0.1 * |primary| = 0.3 and 0.5, so 0.5/0.3 and 1/0.5 = 2.
  CHECK_EQ(d.elements_apart, 2);
  CHECK(Near(d.worst_excess, 2));
  CHECK_EQ(d.worst_element, 2);
  CHECK_EQ(d.rows_apart, 1);
  // dot = 1 + 5 + 12 = 18, squares 21 and 16.25.
  CHECK(Near(d.mean_cosine, 18 / std::sqrt(21.0 * 16.25)));
  CHECK_EQ(d.vectors, 0);
}

TEST("compare: every row is judged by itself") {
  const OutputDifference d = Compare<float>(DataType::kFp32, {1, 0, 0, 1, 1, 1}, {1, 0, 1, 0, 1, 1}, {3, 2});
  CHECK_EQ(d.rows, 3);
  CHECK_EQ(d.rows_apart, 1);
  CHECK_EQ(d.elements_apart, 2);
  CHECK_EQ(d.worst_element, 2);
  CHECK_EQ(d.least_cosine, 0.0);
  CHECK(Near(d.mean_cosine, 2.0 / 3));
  CHECK_EQ(d.vectors, 3);
  CHECK_EQ(d.top1_agreed, 2);
}

TEST("compare: rows longer than a block of lanes sum to the same") {
  std::vector<float> primary(1003, 1.0f), shadow(1003, 1.0f);
  for (size_t i = 0; i < shadow.size(); ++i) shadow[i] += i % 2 == 0 ? 0.25f : -0.25f;
  const OutputDifference d = Compare<float>(DataType::kFp32, primary, shadow, {1, 1003}, {0.2, 0, 0.9, 0});
  CHECK_EQ(d.mean_absolute, 0.25);
  CHECK_EQ(d.elements_apart, 1003);
  CHECK_EQ(d.worst_element, 0);
}

TEST("compare: a distance equal to what is allowed agrees, the next one does not") {
  const CompareRule rule{0.5, 0, 0.9, 0};
  CHECK(!Compare<float>(DataType::kFp32, {1.0f}, {1.5f}, {1, 1}, rule).is_apart());
  CHECK(Compare<float>(DataType::kFp32, {1.0f}, {std::nextafterf(1.5f, 2.0f)}, {1, 1}, rule).is_apart());
  const CompareRule exact{0, 0, 0.9, 0};
  CHECK(!Compare<float>(DataType::kFp32, {0.0f}, {-0.0f}, {1, 1}, exact).is_apart());
  CHECK_EQ(Compare<float>(DataType::kFp32, {1.0f}, {2.0f}, {1, 1}, exact).worst_excess, kInf);
}

TEST("compare: NaN agrees with NaN, an infinity with itself, and with nothing else") {
  const OutputDifference same =
      Compare<double>(DataType::kFp64, {kNan, kInf, -kInf, 1}, {-kNan, kInf, -kInf, 1}, {1, 4});
  CHECK_EQ(same.elements_odd, 0);
  CHECK_EQ(same.rows_apart, 0);
  const OutputDifference other =
      Compare<double>(DataType::kFp64, {kNan, kInf, 1, kInf, 2}, {1, -kInf, kInf, kNan, 2}, {1, 5});
  CHECK_EQ(other.elements_odd, 4);
  CHECK_EQ(other.elements_apart, 4);
  CHECK_EQ(other.worst_excess, kInf);
  CHECK_EQ(other.worst_element, 0);
  CHECK_EQ(other.max_absolute, 0.0);
  CHECK(Near(other.mean_cosine, 1));
}

TEST("compare: distance in representable values") {
  const float next = std::nextafterf(std::nextafterf(1.0f, 2.0f), 2.0f);
  CHECK_EQ(Compare<float>(DataType::kFp32, {1.0f}, {next}, {1, 1}).max_ulp, 2.0);
  // From the smallest negative over both zeros to the smallest positive value.
  const float tiny = std::bit_cast<float>(1u);
  CHECK_EQ(Compare<float>(DataType::kFp32, {-tiny}, {tiny}, {1, 1}).max_ulp, 2.0);
  CHECK_EQ(Compare<double>(DataType::kFp64, {1.0}, {std::nextafter(1.0, 0.0)}, {1, 1}).max_ulp, 1.0);
  // All finite doubles, and both infinities: 2 * 0x7ff0000000000000 steps.
  CHECK_EQ(Compare<double>(DataType::kFp64, {-kInf}, {kInf}, {1, 1}).max_ulp, 0x7ff0000000000000p1);
  CHECK_EQ(Compare<float>(DataType::kFp32, {NAN}, {1.0f}, {1, 1}).max_ulp, 0.0);
}

TEST("compare: 16-bit floats have the values of their formats") {
  CHECK_EQ(FromFp16(0x3c00), 1.0f);
  CHECK_EQ(FromFp16(0xc000), -2.0f);
  CHECK_EQ(FromFp16(0x7bff), 65504.0f);
  CHECK_EQ(FromFp16(0x0001), 0x1p-24f);
  CHECK_EQ(FromFp16(0x03ff), 1023 * 0x1p-24f);
  CHECK_EQ(FromFp16(0x0400), 0x1p-14f);
  CHECK_EQ(FromFp16(0xfc00), -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(FromFp16(0x7e01)));
  CHECK(std::signbit(FromFp16(0x8000)));
  CHECK_EQ(FromBf16(0x3f80), 1.0f);
  CHECK_EQ(FromBf16(0xc040), -3.0f);

  // 1 and 1 + 2^-10 are neighbours in FP16; 1 and 1 + 2^-7 are in BF16.
  const OutputDifference half = Compare<uint16_t>(DataType::kFp16, {0x3c00}, {0x3c01}, {1, 1});
  CHECK_EQ(half.max_ulp, 1.0);
  CHECK_EQ(half.max_absolute, 0x1p-10);
  CHECK(!half.is_apart());
  const OutputDifference brain = Compare<uint16_t>(DataType::kBf16, {0x3f80}, {0x3f81}, {1, 1});
  CHECK_EQ(brain.max_ulp, 1.0);
  CHECK_EQ(brain.max_absolute, 0x1p-7);
  CHECK(Compare<uint16_t>(DataType::kBf16, {0x3f80, 0}, {0xbf80, 0}, {2, 1}).rows_apart == 1);
}

TEST("compare: integers, booleans and strings are equal or not") {
  const OutputDifference wide =
      Compare<int64_t>(DataType::kInt64, {1, INT64_MAX, -5}, {1, INT64_MAX - 1, 5}, {3, 1});
  CHECK_EQ(wide.elements_apart, 2);
  CHECK_EQ(wide.rows_apart, 2);
  CHECK_EQ(wide.max_absolute, 10.0);
  CHECK_EQ(wide.worst_element, 2);
  CHECK_EQ(wide.max_relative, 2.0);
  CHECK_EQ(Compare<uint8_t>(DataType::kBool, {1, 0}, {1, 1}, {2, 1}).rows_apart, 1);
  CHECK_EQ(Compare<uint64_t>(DataType::kUint64, {UINT64_MAX}, {0}, {1, 1}).max_absolute, 0x1p64);

  const auto strings = [](std::vector<std::string> texts) {
    std::vector<uint8_t> bytes;
    for (const std::string& text : texts) {
      const auto length = static_cast<uint32_t>(text.size());
      const auto* raw = reinterpret_cast<const uint8_t*>(&length);
      bytes.insert(bytes.end(), raw, raw + 4);
      bytes.insert(bytes.end(), text.begin(), text.end());
    }
    return bytes;
  };
  const auto over = [](const std::vector<uint8_t>& bytes, int64_t rows) {
    TensorView view = View(DataType::kBytes, bytes, {rows, 1});
    view.elements = rows;
    return view;
  };
  const std::vector<uint8_t> a = strings({"left", "", "right"}), b = strings({"left", "x", "wrong"});
  const OutputDifference text = CompareOutput(over(a, 3), over(b, 3), 3, {});
  CHECK_EQ(text.elements_apart, 2);
  CHECK_EQ(text.rows_apart, 2);
  CHECK_EQ(text.worst_element, 1);
  // A length that leads out of the tensor is another shape, not a read past the end.
  std::vector<uint8_t> cut = b;
  cut.pop_back();
  CHECK(CompareOutput(over(a, 3), over(cut, 3), 3, {}).is_other_shape);
}

TEST("compare: another datatype, rank, dimension or length is another shape") {
  const std::vector<float> six{1, 2, 3, 4, 5, 6};
  const TensorView primary = View(DataType::kFp32, six, {2, 3});
  CHECK(CompareOutput(primary, View(DataType::kFp32, six, {2, 3, 1}), 2, {}).is_other_shape);
  const OutputDifference other = CompareOutput(primary, View(DataType::kFp32, six, {3, 2}), 2, {});
  CHECK(other.is_other_shape);
  CHECK_EQ(other.rows_apart, 2);
  CHECK(CompareOutput(primary, View(DataType::kInt32, six, {2, 3}), 2, {}).is_other_shape);
  CHECK(!CompareOutput(primary, primary, 2, {}).is_other_shape);
  CompareRule unjudged;
  unjudged.judge = Judge::kNone;
  CHECK(!CompareOutput(primary, View(DataType::kFp32, six, {3, 2}), 2, unjudged).is_apart());
}

TEST("compare: best scores, ties, near ties and NaN") {
  const FloatLimit limit{0.01, 0};
  const auto ranks = [&](std::vector<float> p, std::vector<float> s, int64_t k) {
    return CompareRanks(p.data(), s.data(), static_cast<int64_t>(p.size()), k, limit);
  };
  CHECK(ranks({0.1f, 0.7f, 0.2f}, {0.2f, 0.5f, 0.3f}, 1).is_top1_agreed);
  CHECK(!ranks({0.1f, 0.7f, 0.2f}, {0.7f, 0.1f, 0.2f}, 1).is_top1_agreed);
  // 0.500 against 0.495 may change places; 0.50 against 0.45 may not.
  CHECK(ranks({0.500f, 0.495f}, {0.495f, 0.500f}, 1).is_top1_agreed);
  CHECK(!ranks({0.50f, 0.45f}, {0.45f, 0.50f}, 1).is_top1_agreed);
  CHECK(ranks({1, 1, 0}, {1, 1, 0}, 1).is_top1_agreed);
  CHECK(!ranks({NAN, 1, 2}, {NAN, 2, 1}, 1).is_top1_agreed);
  CHECK(ranks({NAN, 1, 2}, {NAN, 0, 2}, 1).is_top1_agreed);
  // {4,3,2} of the first are indices 0,1,2; of the second 3,2,0: two of three are shared.
  CHECK(Near(ranks({4, 3, 2, 1}, {3, 0, 4, 5}, 3).top_k_shared, 2.0 / 3));
}

TEST("compare: a judge by best score or by direction forgives what it does not look at") {
  CompareRule top1;
  top1.judge = Judge::kTop1;
  CHECK(!Compare<float>(DataType::kFp32, {1, 5, 2}, {2, 9, 3}, {1, 3}, top1).is_apart());
  CHECK(Compare<float>(DataType::kFp32, {1, 5, 2}, {9, 5, 2}, {1, 3}, top1).is_apart());
  CompareRule cosine;
  cosine.judge = Judge::kCosine;
  CHECK(!Compare<float>(DataType::kFp32, {1, 2, 2}, {2, 4, 4}, {1, 3}, cosine).is_apart());
  CHECK(Compare<float>(DataType::kFp32, {1, 2, 2}, {2, 1, 2}, {1, 3}, cosine).is_apart());
  // A row of zeros has no direction: it agrees with zeros only.
  CHECK(Compare<float>(DataType::kFp32, {0, 0}, {1, 0}, {1, 2}, cosine).is_apart());
}

TEST("compare: equal bytes agree in everything, and nothing is worst") {
  const OutputDifference d = Compare<float>(DataType::kFp32, {1, 2, NAN, 4}, {1, 2, NAN, 4}, {2, 2});
  CHECK(!d.is_apart());
  CHECK_EQ(d.vectors, 2);
  CHECK_EQ(d.top1_agreed, 2);
  CHECK_EQ(d.top_k_shared, 2.0);
  CHECK_EQ(d.worst_element, -1);
  CHECK_EQ(Compare<float>(DataType::kFp32, {}, {}, {0, 4}).rows_apart, 0);
}

}  // namespace
}  // namespace sluice
