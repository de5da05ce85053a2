#include "compare/compare_output.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "compare/exact_compare.h"
#include "compare/float_bits.h"
#include "compare/rank_compare.h"

namespace sluice {

namespace {

constexpr int64_t kUsualTopK = 5;

bool IsFloat(DataType type) {
  return type == DataType::kFp16 || type == DataType::kBf16 || type == DataType::kFp32 ||
         type == DataType::kFp64;
}

FloatLimit LimitOf(DataType type, const CompareRule& rule) {
  FloatLimit limit = DefaultLimit(type);
  if (rule.absolute >= 0) limit.absolute = rule.absolute;
  if (rule.relative >= 0) limit.relative = rule.relative;
  return limit;
}

// How many best scores to look at; 0: the output holds none.
int64_t TopK(const TensorView& view, int64_t rows, const CompareRule& rule) {
  const int64_t last = view.dims.rank > 0 ? view.dims.at[view.dims.rank - 1] : 0;
  if (rule.top_k == 0 || last < 1) return 0;
  if (rule.top_k > 0) return std::min({rule.top_k, last, kMostTopK});
  // One dimension for each row, and that the last.
  return last >= 2 && last * rows == view.elements ? std::min(kUsualTopK, last) : 0;
}

// The part of an output's difference that comes from one row.
struct Row {
  FloatSums sums;
  int64_t vectors = 0;
  int64_t top1_agreed = 0;
  double top_k_shared = 0;
};

template <typename T>
void AddRanks(const T* primary, const T* shadow, int64_t count, int64_t vector_length, int64_t k,
              const FloatLimit& limit, Row* row) {
  for (int64_t at = 0; k > 0 && at + vector_length <= count; at += vector_length) {
    const RankAgreement agreement = CompareRanks(primary + at, shadow + at, vector_length, k, limit);
    ++row->vectors;
    row->top1_agreed += agreement.is_top1_agreed ? 1 : 0;
    row->top_k_shared += agreement.top_k_shared;
  }
}

bool IsRowApart(const Row& row, const CompareRule& rule) {
  switch (rule.judge) {
    case Judge::kTop1:
      return row.vectors > 0 ? row.top1_agreed < row.vectors : row.sums.apart > 0;
    case Judge::kCosine:
      return row.sums.odd > 0 || row.sums.Cosine() < rule.least_cosine;
    case Judge::kNone:
      return false;
    case Judge::kTolerance:
      break;
  }
  return row.sums.apart > 0;
}

// Elements of a float tensor as T; 16-bit types are converted, row by row, into `copy`.
template <typename T>
const T* RowOf(const TensorView& view, int64_t first, int64_t count, std::vector<float>* copy) {
  if (view.type == DataType::kFp32 || view.type == DataType::kFp64)
    return reinterpret_cast<const T*>(view.bytes) + first;
  const auto* bits = reinterpret_cast<const uint16_t*>(view.bytes) + first;
  copy->resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    (*copy)[static_cast<size_t>(i)] = view.type == DataType::kFp16 ? FromFp16(bits[i]) : FromBf16(bits[i]);
  }
  return reinterpret_cast<const T*>(copy->data());
}

double UlpOf(const TensorView& primary, const TensorView& shadow) {
  const auto over = [&]<typename Bits>(Bits exponent) {
    return MaxUlp(reinterpret_cast<const Bits*>(primary.bytes), reinterpret_cast<const Bits*>(shadow.bytes),
                  primary.elements, exponent);
  };
  switch (primary.type) {
    case DataType::kFp16:
      return over(uint16_t{0x7c00});
    case DataType::kBf16:
      return over(uint16_t{0x7f80});
    case DataType::kFp32:
      return over(uint32_t{0x7f800000});
    default:
      return over(uint64_t{0x7ff0000000000000});
  }
}

void SetOtherShape(int64_t rows, const CompareRule& rule, OutputDifference* difference) {
  *difference = OutputDifference();
  difference->is_other_shape = true;
  difference->rows = rows;
  difference->rows_apart = rule.judge == Judge::kNone ? 0 : rows;
  difference->worst_excess = kEndlessExcess;
}

template <typename T>
void CompareFloats(const TensorView& primary, const TensorView& shadow, int64_t rows, const CompareRule& rule,
                   OutputDifference* difference) {
  const FloatLimit limit = LimitOf(primary.type, rule);
  const int64_t row_elements = primary.elements / rows;
  const int64_t k = TopK(primary, rows, rule);
  const int64_t vector_length = k > 0 ? primary.dims.at[primary.dims.rank - 1] : 1;
  std::vector<float> primary_copy, shadow_copy;
  double absolute = 0, relative = 0, cosine = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const T* p = RowOf<T>(primary, r * row_elements, row_elements, &primary_copy);
    const T* s = RowOf<T>(shadow, r * row_elements, row_elements, &shadow_copy);
    Row row;
    AddFloats(p, s, row_elements, limit, &row.sums);
    AddRanks(p, s, row_elements, vector_length, k, limit, &row);
    const FloatSums& sums = row.sums;
    absolute += sums.absolute;
    relative += sums.relative;
    cosine += sums.Cosine();
    if (sums.worst_excess > difference->worst_excess) {
      difference->worst_excess = sums.worst_excess;
      for (int64_t i = 0; i < row_elements; ++i) {
        if (ExcessOf(static_cast<double>(p[i]), static_cast<double>(s[i]), limit) < sums.worst_excess)
          continue;
        difference->worst_element = r * row_elements + i;
        break;
      }
    }
    difference->max_absolute = std::max(difference->max_absolute, sums.max_absolute);
    difference->max_relative = std::max(difference->max_relative, sums.max_relative);
    difference->least_cosine = std::min(difference->least_cosine, sums.Cosine());
    difference->elements_apart += sums.apart;
    difference->elements_odd += sums.odd;
    difference->vectors += row.vectors;
    difference->top1_agreed += row.top1_agreed;
    difference->top_k_shared += row.top_k_shared;
    difference->rows_apart += IsRowApart(row, rule) ? 1 : 0;
  }
  difference->mean_absolute = absolute / static_cast<double>(primary.elements);
  difference->mean_relative = relative / static_cast<double>(primary.elements);
  difference->mean_cosine = cosine / static_cast<double>(rows);
  difference->max_ulp = UlpOf(primary, shadow);
}

void CompareExactly(const TensorView& primary, const TensorView& shadow, int64_t rows,
                    const CompareRule& rule, OutputDifference* difference) {
  const int64_t row_elements = primary.elements / rows;
  BytesWalk primary_walk{primary.bytes, primary.byte_count, 0};
  BytesWalk shadow_walk{shadow.bytes, shadow.byte_count, 0};
  double absolute = 0, relative = 0;
  for (int64_t r = 0; r < rows; ++r) {
    ExactSums sums;
    if (primary.type == DataType::kBytes) {
      if (!CompareStrings(&primary_walk, &shadow_walk, row_elements, &sums)) {
        SetOtherShape(rows, rule, difference);
        return;
      }
    } else {
      const size_t offset = static_cast<size_t>(r * row_elements) * DataTypeBytes(primary.type);
      sums = CompareIntegers(primary.type, primary.bytes + offset, shadow.bytes + offset, row_elements);
    }
    if (sums.apart == 0) continue;
    absolute += sums.absolute;
    relative += sums.relative;
    if (difference->worst_element < 0 || sums.max_absolute > difference->max_absolute)
      difference->worst_element = r * row_elements + sums.worst_element;
    difference->max_absolute = std::max(difference->max_absolute, sums.max_absolute);
    difference->max_relative = std::max(difference->max_relative, sums.max_relative);
    difference->elements_apart += sums.apart;
    difference->rows_apart += rule.judge == Judge::kNone ? 0 : 1;
  }
  difference->mean_absolute = absolute / static_cast<double>(primary.elements);
  difference->mean_relative = relative / static_cast<double>(primary.elements);
  // No tolerance to measure by: unequal is over it, further is worse.
  if (difference->elements_apart > 0) difference->worst_excess = 1 + difference->max_absolute;
}

}  // namespace

FloatLimit DefaultLimit(DataType type) {
  switch (type) {
    case DataType::kFp16:
      return {1e-3, 1e-2};
    case DataType::kBf16:
      return {1e-2, 5e-2};
    case DataType::kFp64:
      return {1e-8, 1e-6};
    default:
      return {1e-5, 1e-3};
  }
}

OutputDifference CompareOutput(const TensorView& primary, const TensorView& shadow, int64_t rows,
                               const CompareRule& rule) {
  OutputDifference difference;
  difference.rows = rows;
  const bool has_other_length = primary.type != DataType::kBytes && primary.byte_count != shadow.byte_count;
  if (primary.type != shadow.type || !(primary.dims == shadow.dims) || primary.elements != shadow.elements ||
      has_other_length || rows < 1) {
    SetOtherShape(rows, rule, &difference);
    return difference;
  }
  difference.elements = primary.elements;
  if (primary.elements == 0) return difference;
  if (primary.byte_count == shadow.byte_count &&
      std::memcmp(primary.bytes, shadow.bytes, primary.byte_count) == 0) {
    const int64_t k = IsFloat(primary.type) ? TopK(primary, rows, rule) : 0;
    if (k > 0) {
      difference.vectors = primary.elements / primary.dims.at[primary.dims.rank - 1];
      difference.top1_agreed = difference.vectors;
      difference.top_k_shared = static_cast<double>(difference.vectors);
    }
    return difference;
  }
  if (primary.type == DataType::kFp64) {
    CompareFloats<double>(primary, shadow, rows, rule, &difference);
  } else if (IsFloat(primary.type)) {
    CompareFloats<float>(primary, shadow, rows, rule, &difference);
  } else {
    CompareExactly(primary, shadow, rows, rule, &difference);
  }
  return difference;
}

}  // namespace sluice
