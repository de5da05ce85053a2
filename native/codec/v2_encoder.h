// Writes the V2 infer response of one request into request->reply. Runs on the thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "schedule/request.h"

namespace sluice {

// One request's part of one output: its own rows and no more.
struct OutputRows {
  Dims dims;                       // as the reply tells it, the request's own batch in front
  const uint8_t* bytes = nullptr;  // BYTES in V2 form
  size_t byte_count = 0;
  int64_t elements = 0;
};

// `outputs` are in the model's order. Fails only where a value has no JSON form (BYTES that are not UTF-8).
Status EncodeV2(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request);

}  // namespace sluice
