// Writes the V2 infer response of one request into request->reply. Runs on the thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "schedule/request.h"

namespace sluice {

// `outputs` are in the model's order. Fails only where a value has no JSON form (BYTES that are not UTF-8).
Status EncodeV2(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request);

}  // namespace sluice
