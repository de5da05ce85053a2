#include "engine/refusal.h"

#include <new>

namespace sluice {

Status RefusalOf(const ModelVersion& version, Code code) {
  const std::string& display = version.spec().display;
  switch (code) {
    case Code::kQueueFull:
      return Status(code, display + " has more waiting than it can answer in time; try again later");
    case Code::kDeadlinePassed:
      return Status(code, "the deadline of the request passed while it waited for " + display);
    case Code::kCancelled:
      return Status(code, "the request was cancelled");
    case Code::kNotReady:
      return Status(code, display + " does not answer: its runs do not end");
    default:
      return Status(Code::kDraining, "the server is shutting down");
  }
}

void FailRefused(const ModelVersion& version, Code code, Request* request) noexcept {
  try {
    request->Fail(RefusalOf(version, code));
  } catch (const std::bad_alloc&) {
    request->Fail(code, kNoMemoryText);
  }
}

void FailDropped(Request* const* requests, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    FailRefused(*static_cast<ModelVersion*>(requests[i]->version), requests[i]->drop_code, requests[i]);
  }
}

}  // namespace sluice
