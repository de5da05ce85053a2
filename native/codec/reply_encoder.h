// The one way from a run's outputs to a reply, whatever form the request came in. Runs on the thread that ran
// the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "schedule/request.h"

namespace sluice {

// Writes the reply into request->reply. Fails only where the outputs cannot be told in that form.
Status EncodeReply(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request);

}  // namespace sluice
