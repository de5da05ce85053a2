// What can be told of a request before its body is read: whether it would be answered in time, and when to
// try again. Loop thread; nothing is kept.
#pragma once

#include <cstdint>

#include "binding/addon_state.h"

namespace sluice {

// The version of a handle; null where it does not take requests.
ModelVersion* StartedVersion(AddonState* state, uint32_t handle);

// `timeout_ms`: what the client has left, 0 where it did not say.
int64_t TimeLeftNs(const ModelVersion& version, double timeout_ms);

// Whether a request could not be answered in time. What runs on the loop is answered at the end of the tick,
// so nothing is asked for it.
Code UnreadRefusal(AddonState* state, const ModelVersion& version, uint32_t handle, uint8_t priority,
                   int64_t now_ns, int64_t deadline_ns);

// When one that was refused for what waits may come again: when what waits now is done; 0 = nobody knows.
uint32_t RetryAfterMs(AddonState* state, const ModelVersion& version, uint8_t priority, Code code);

}  // namespace sluice
