// Reply frames. Where the outputs' ranks are those of the signature, all but the numbers and the tensors'
// bytes is laid out once, when the version starts. EncodeFrame runs on the thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "schedule/request.h"

namespace sluice {

// Fills in `spec->reply_frame` and `spec->timed_reply_frame`; everything else of the spec must be there.
void LayReplyFrame(ModelSpec* spec);

// One finished FlatBuffer into request->reply, without another copy. `outputs` are in the model's order.
// Fails where the outputs are longer than a FlatBuffer can be.
Status EncodeFrame(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request);

}  // namespace sluice
