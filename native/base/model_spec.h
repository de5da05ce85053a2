// What the native side knows of a served model version: its tensors and limits. Made once by the binding from
// the serving plan that TypeScript completed; immutable afterwards, so any thread may read it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/data_type.h"
#include "base/shape.h"

namespace sluice {

// Requested outputs and their wire form are kept as bits of one word.
inline constexpr size_t kMaxTensors = 64;

inline constexpr int kNoRule = -1;
inline constexpr size_t kNoTensor = SIZE_MAX;

struct TensorSpec {
  std::string name;
  DataType type = DataType::kInvalid;
  std::vector<int64_t> dims;        // as a request writes it, without the batch dimension; -1 varies
  std::vector<int64_t> model_dims;  // as ONNX Runtime wants it, without the batch dimension
  int64_t row_elements =
      -1;  // elements of one row (or of the whole tensor without batching); -1 where a dim varies
  std::string reply_prefix;  // {"name":"...","datatype":"...","shape":[
  // Of an input whose length a padding rule evens out: the rule, the dimension among the model's, and the
  // element that fills up.
  int pad_rule = kNoRule;
  int pad_dim = 0;
  std::array<uint8_t, 8> pad_element{};
  // Of an output that is as long as such inputs: the rule of each of the model's dimensions. Else empty.
  std::vector<int> follows;

  bool has_fixed_bytes() const { return row_elements >= 0 && type != DataType::kBytes; }
  size_t row_bytes() const { return static_cast<size_t>(row_elements) * DataTypeBytes(type); }
};

// Requests of different lengths share a run: each is brought up to the next of `lengths`.
struct PaddingRule {
  std::vector<size_t> inputs;    // of one length in every request; the mask comes last
  size_t mask = kNoTensor;       // tells what is real; made where the client leaves it out
  std::vector<int64_t> lengths;  // ascending

  // What `own` is brought up to; -1 where it is longer than the last.
  int64_t LengthFor(int64_t own) const {
    for (const int64_t length : lengths) {
      if (own <= length) return length;
    }
    return -1;
  }
};

// A reply frame of all outputs up to its first tensor's bytes, and the places that each reply fills in.
struct ReplyFrame {
  struct Output {
    size_t index = 0;     // in the model's order
    size_t shape_at = 0;  // of the first dimension
    int rank = 0;
    size_t data_offset_at = 0;  // of the offset to the tensor's bytes
  };
  std::vector<uint8_t> head;
  size_t id_at = 0;
  size_t times_at = 0;  // of the stages' four numbers; 0: the reply does not tell them
  std::vector<Output> outputs;
};

struct ModelSpec {
  uint64_t serial = 0;  // never reused in a process, so caches may key on it
  std::string name;
  std::string version;
  std::string display;            // model "m" version 1
  std::string reply_prefix;       // "model_name":"m","model_version":"1"
  int64_t max_batch_rows = 0;     // 0: no batch dimension
  bool may_exceed_batch = false;  // a request may have more rows; it is then run in pieces
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<PaddingRule> padding;
  uint64_t optional_inputs = 0;  // bits of those that a request may leave out
  ReplyFrame reply_frame;
  ReplyFrame timed_reply_frame;

  bool has_batch_dim() const { return max_batch_rows > 0; }
  bool has_padding() const { return !padding.empty(); }
};

}  // namespace sluice
