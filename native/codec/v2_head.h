// V2Head: reads the JSON part of a V2 infer request (simdjson, on demand) into a plan; tensors that are given
// as JSON are parsed straight into the request's memory. One object per thread that decodes; it keeps its
// parser's memory.
#pragma once

#include <simdjson.h>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/v2_plan.h"
#include "memory/aligned_buffer.h"

namespace sluice {

class V2Head {
 public:
  // `json` must be followed by simdjson::SIMDJSON_PADDING readable bytes. On success `plan` is complete and
  // checked against the model (names, datatypes, shapes, one batch for all inputs), but no blob has been
  // looked at.
  Status Parse(const ModelSpec& spec, const char* json, size_t length, V2Plan* plan, AlignedBuffer* tensors);

 private:
  using Object = simdjson::ondemand::object;
  using Value = simdjson::ondemand::value;

  struct InputDraft;

  Status ParseTop(Object top);
  Status ParseId(Value value);
  Status ParseRequestParameters(Value value);
  Status ParseInputs(Value value);
  Status ParseInput(Object object);
  Status ParseInputParameters(Value value, InputDraft* draft);
  Status ParseShape(Value value, InputDraft* draft);
  Status ResolveInput(InputDraft* draft);
  Status ParseTensor(simdjson::ondemand::array elements, InputDraft* draft);
  Status ParseOutputs(Value value);
  Status Finish();

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::parser late_parser_;  // for a "data" that stands before its shape

  // Of the request being parsed.
  const ModelSpec* spec_ = nullptr;
  V2Plan* plan_ = nullptr;
  AlignedBuffer* tensors_ = nullptr;
  size_t json_length_ = 0;
  uint64_t seen_inputs_ = 0;
  uint64_t listed_outputs_ = 0;
  uint64_t outputs_with_form_ = 0;  // those that say binary_data themselves
  bool wants_binary_by_default_ = false;
};

}  // namespace sluice
