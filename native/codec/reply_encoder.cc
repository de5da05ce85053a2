#include "codec/reply_encoder.h"

#include "codec/frame_encoder.h"
#include "codec/v2_encoder.h"

namespace sluice {

Status EncodeReply(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request) {
  return request->wire == WireForm::kFrame ? EncodeFrame(spec, outputs, request)
                                           : EncodeV2(spec, outputs, request);
}

}  // namespace sluice
