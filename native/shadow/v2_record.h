// Requests and answers as V2 bodies whose tensors are all binary, to keep and send again. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/model_spec.h"
#include "codec/output_rows.h"
#include "schedule/request.h"

namespace sluice {

struct V2Body {
  std::string bytes;
  size_t head_length = 0;  // of the JSON part
};

// A request with the tensors of `inputs`, which are in the order of `spec`.
V2Body RecordRequest(const ModelSpec& spec, const std::vector<RequestInput>& inputs, int64_t rows);
// The answer with all of its outputs.
V2Body RecordAnswer(const ModelSpec& spec, const std::vector<OutputRows>& outputs);
size_t RecordedBytes(const std::vector<RequestInput>& inputs);
size_t RecordedBytes(const std::vector<OutputRows>& outputs);

}  // namespace sluice
