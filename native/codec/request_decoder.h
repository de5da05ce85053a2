// The one way from bytes that a request owns to its tensors, whatever form it came in. One object per
// decoding thread.
#pragma once

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/frame_decoder.h"
#include "codec/v2_decoder.h"
#include "schedule/request.h"

namespace sluice {

class RequestDecoder {
 public:
  // Decodes request->body; tensors that are binary stay where they are.
  Status DecodeOwned(const ModelSpec& spec, Request* request) {
    return request->wire == WireForm::kFrame ? frame_.Decode(spec, request) : v2_.DecodeOwned(spec, request);
  }
  // Whether DecodeOwned takes long enough to leave the event loop.
  static bool IsLong(const ModelSpec& spec, const Request& request) {
    return request.wire == WireForm::kFrame
               ? FrameDecoder::IsLong(spec, request.body.size())
               : V2Decoder::IsLong(spec, request.body.size(), request.head_length);
  }
  V2Decoder* v2() { return &v2_; }

 private:
  V2Decoder v2_;
  FrameDecoder frame_;
};

}  // namespace sluice
