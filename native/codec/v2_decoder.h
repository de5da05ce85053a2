// V2Decoder: an infer body (JSON, JSON with binary tensors, or raw) into a request. One object per decoding
// thread. It keeps the plans of a few recent JSON parts, because clients send the same one with other tensors
// behind it.
#pragma once

#include <cstdint>
#include <string>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/v2_head.h"
#include "codec/v2_plan.h"
#include "schedule/request.h"

namespace sluice {

class V2Decoder {
 public:
  // `bytes` die after the call: every tensor is copied into the request. `head_length` is the JSON part's
  // length, 0 for a raw body, -1 when the body is all JSON.
  Status Decode(const ModelSpec& spec, const uint8_t* bytes, size_t size, int64_t head_length,
                Request* request);

  // The same for the bytes that the request itself owns (request->body): binary tensors stay where they are.
  Status DecodeOwned(const ModelSpec& spec, Request* request);

  // Whether DecodeOwned of this body takes long enough to leave the event loop.
  static bool IsLong(const ModelSpec& spec, size_t size, int64_t head_length);

 private:
  struct KeptPlan {
    uint64_t serial = 0;
    std::string json;
    V2Plan plan;
  };
  static constexpr size_t kKeptPlans = 16;
  static constexpr size_t kLongestKeptJson = 1024;

  Status DecodeAny(const ModelSpec& spec, const uint8_t* bytes, size_t size, int64_t head_length,
                   bool is_owned, Request* request);
  Status DecodeRaw(const ModelSpec& spec, const uint8_t* bytes, size_t size, bool is_owned, Request* request);
  Status Apply(const ModelSpec& spec, const V2Plan& plan, const uint8_t* blobs, size_t size, bool is_owned,
               Request* request);

  V2Head head_;
  V2Plan plan_;
  AlignedBuffer json_copy_;  // the parser reads past the end, the socket's memory may not
  KeptPlan kept_[kKeptPlans];
};

}  // namespace sluice
