// The stages of one answered request, for those who ask about single requests. Loop thread, at hand-out.
#pragma once

#include "engine/version_stats.h"

namespace sluice {

// Writes kStageCount microseconds, in the order of Stage; zeros for a request that did not run.
inline void WriteStageTimes(const Request& request, int64_t now_ns, float* us) {
  const auto set = [us](Stage stage, int64_t ns) {
    us[static_cast<size_t>(stage)] = ns > 0 ? static_cast<float>(ns) / 1e3f : 0;
  };
  for (int i = 0; i < kStageCount; ++i) us[i] = 0;
  // A request that is answered early is still in its run, which may be writing.
  if (request.early_code != Code::kOk || request.code != Code::kOk) return;
  set(Stage::kReceive, request.opened_ns == 0 ? 0 : request.submitted_ns - request.opened_ns);
  set(Stage::kDecode, request.decoded_ns - request.submitted_ns);
  set(Stage::kQueue, request.taken_ns - request.decoded_ns - request.held_ns);
  set(Stage::kBatchWait, request.held_ns);
  set(Stage::kGather, request.gathered_ns - request.taken_ns);
  set(Stage::kRun, request.ran_ns - request.gathered_ns);
  set(Stage::kEncode, request.ended_ns - request.ran_ns);
  set(Stage::kSend, now_ns - request.ended_ns);
}

}  // namespace sluice
