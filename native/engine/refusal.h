// What a client reads when its request was not run. Any thread.
#pragma once

#include "base/status.h"
#include "engine/model_version.h"
#include "schedule/request.h"

namespace sluice {

Status RefusalOf(const ModelVersion& version, Code code);

// The same as the answer of a request of `version`.
void FailRefused(const ModelVersion& version, Code code, Request* request) noexcept;
// Gives requests that left a queue unrun (drop_code says why) the answer to that.
void FailDropped(Request* const* requests, size_t count) noexcept;

// What a client is told whose request found no memory.
inline constexpr char kNoMemoryText[] = "out of memory for the request";

// Of loads and the like; short enough that the message needs no memory itself.
inline constexpr char kOutOfMemoryText[] = "out of memory";

// What the clients of a run are told that has not ended by their deadline.
inline constexpr char kLateText[] = "the deadline of the request passed while it was running";

}  // namespace sluice
