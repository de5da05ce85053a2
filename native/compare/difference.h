// What a comparison of two answers is asked and what it tells: numbers only, no names and no text. Values;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/data_type.h"
#include "base/shape.h"

namespace sluice {

// One output of one answer, wherever its bytes lie. Not owned.
struct TensorView {
  DataType type = DataType::kInvalid;
  Dims dims;                       // the batch in front, where there is one
  const uint8_t* bytes = nullptr;  // BYTES in V2 form (length, bytes, ...)
  size_t byte_count = 0;
  int64_t elements = 0;
};

// What decides whether a row of an output agrees.
enum class Judge : uint8_t {
  kTolerance = 0,  // every element within the tolerance
  kTop1 = 1,       // the same best score
  kCosine = 2,     // direction of the row, for embeddings
  kNone = 3,       // measured, never judged
};

inline constexpr int64_t kAutoTopK = -1;

struct CompareRule {
  // An element agrees when |shadow - primary| <= absolute + relative * |primary|; negative: the datatype's
  // default.
  double absolute = -1;
  double relative = -1;
  double least_cosine = 0.999;
  // Best scores looked at along the last dimension; 0 = it holds no scores. Auto: 5 where a row of floats has
  // one dimension of at least 2.
  int64_t top_k = kAutoTopK;
  Judge judge = Judge::kTolerance;
};

struct OutputDifference {
  // Datatype, shape or length differ: nothing else was measured, no judged row agrees.
  bool is_other_shape = false;
  int64_t rows = 0;
  int64_t rows_apart = 0;  // rows that do not agree, by the rule's judge
  int64_t elements = 0;
  int64_t elements_apart = 0;  // outside of the tolerance; integers, BOOL and BYTES: unequal
  // NaN against a number, infinity against anything else. NaN against NaN and equal infinities agree.
  int64_t elements_odd = 0;
  double max_absolute = 0;
  double mean_absolute = 0;
  double max_relative = 0;  // |a - b| over the larger of |a| and |b|: from 0 to 2
  double mean_relative = 0;
  double max_ulp = 0;  // steps between neighbouring values of the output's own type
  double least_cosine = 1;
  double mean_cosine = 1;
  // The worst element's distance over what the tolerance allows; up to 1 agrees.
  double worst_excess = 0;
  int64_t worst_element = -1;
  // Score vectors along the last dimension, when there are any.
  int64_t vectors = 0;
  int64_t top1_agreed = 0;
  double top_k_shared = 0;  // sum over vectors of the share of the k best that both have

  bool is_apart() const { return rows_apart > 0; }
};

inline constexpr double kEndlessExcess = std::numeric_limits<double>::infinity();

}  // namespace sluice
