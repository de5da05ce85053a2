#include "binding/unread.h"

#include <algorithm>

#include "base/clock.h"
#include "binding/calls.h"
#include "engine/refusal.h"

namespace sluice {

namespace {

AddonState* StateOf(const Napi::CallbackInfo& info) { return static_cast<AddonState*>(info.Data()); }

// A prediction beyond this says only that it is long.
constexpr int64_t kLongestRetryMs = 3'600'000;

}  // namespace

ModelVersion* StartedVersion(AddonState* state, uint32_t handle) {
  ModelVersion* version = state->is_open() ? state->engine()->Version(handle) : nullptr;
  return version != nullptr && version->is_started() ? version : nullptr;
}

int64_t TimeLeftNs(const ModelVersion& version, double timeout_ms) {
  const int64_t longest_ns = version.longest_ns();
  const bool is_shorter = timeout_ms > 0 && timeout_ms * 1e6 < static_cast<double>(longest_ns);
  return is_shorter ? static_cast<int64_t>(timeout_ms * 1e6) : longest_ns;
}

Code UnreadRefusal(AddonState* state, const ModelVersion& version, uint32_t handle, uint8_t priority,
                   int64_t now_ns, int64_t deadline_ns) {
  if (version.runs_inline() && priority != kBackgroundPriority) return Code::kOk;
  const Code code =
      version.queue()->Refusal(priority, 1, now_ns, deadline_ns, state->engine()->scheduler()->load(),
                               state->batcher()->UnitsForWorkers(handle));
  if (code == Code::kQueueFull) state->batcher()->rest()->Refused(&version, now_ns, deadline_ns);
  return code;
}

uint32_t RetryAfterMs(AddonState* state, const ModelVersion& version, uint8_t priority, Code code) {
  if (code != Code::kQueueFull) return 0;
  const int64_t predicted_ns =
      version.queue()->PredictedNs(priority, NowNs(), state->engine()->scheduler()->load());
  return static_cast<uint32_t>(std::min((predicted_ns + 999'999) / 1'000'000, kLongestRetryMs));
}

Napi::Value RefuseUnread(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  const uint32_t handle = info[0].As<Napi::Number>();
  ModelVersion* version = StartedVersion(state, handle);
  if (version == nullptr) return Napi::Number::New(info.Env(), 0);
  const int64_t now_ns = NowNs();
  const int64_t deadline_ns = now_ns + TimeLeftNs(*version, info[1].As<Napi::Number>().DoubleValue());
  const uint8_t priority = 0;
  // Whatever else is the matter is told with the body.
  if (UnreadRefusal(state, *version, handle, priority, now_ns, deadline_ns) != Code::kQueueFull)
    return Napi::Number::New(info.Env(), 0);
  const Status status = RefusalOf(*version, Code::kQueueFull);
  state->last_error = status.message();
  state->last_retry_ms = RetryAfterMs(state, *version, priority, status.code());
  version->stats.Refused(WireForm::kV2, status.code());
  return Napi::Number::New(info.Env(), -static_cast<double>(status.code()));
}

Napi::Value LastRetryMs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), StateOf(info)->last_retry_ms);
}

Napi::Value LastErrorText(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), StateOf(info)->last_error);
}

}  // namespace sluice
