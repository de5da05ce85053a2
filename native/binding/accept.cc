#include "binding/accept.h"

#include <new>

#include "binding/unread.h"
#include "engine/refusal.h"

namespace sluice {

void Discard(AddonState* state, Request* request) {
  state->port()->Release(request);
  state->port()->RecycleTickets();
}

void SetUrgency(const ModelVersion& version, double timeout_ms, uint32_t priority, Request* request) {
  request->deadline_ns = request->submitted_ns + TimeLeftNs(version, timeout_ms);
  request->priority = static_cast<uint8_t>(priority);
}

void AttachShadow(std::shared_ptr<ShadowLink> shadow, const ModelVersion& version, Request* request) {
  // One that was meant for a version that has been replaced since is nobody's.
  if (shadow == nullptr || shadow->primary().serial != version.spec().serial) return;
  shadow->Sampled();
  request->tap = std::move(shadow);
}

Status MayBeRead(AddonState* state, const ModelVersion& version, uint32_t handle, const Request& request) {
  const Code code =
      UnreadRefusal(state, version, handle, request.priority, request.submitted_ns, request.deadline_ns);
  return code == Code::kOk ? Status() : RefusalOf(version, code);
}

void Accept(AddonState* state, ModelVersion* version, uint32_t handle, Request* request) {
  state->batcher()->Add(version, handle, request);
  request->version = version;
  version->Accepted();
}

Status AcceptLong(AddonState* state, ModelVersion* version, Request* request) {
  request->version = version;
  version->Accepted();
  try {
    if (state->engine()->SubmitForDecode(request)) return Status();
  } catch (const std::exception&) {
    return Status(Code::kQueueFull, kNoMemoryText);
  }
  return RefusalOf(*version, Code::kDraining);
}

Status AcceptOwned(AddonState* state, ModelVersion* version, uint32_t handle, Request* request,
                   bool* is_decoded) {
  *is_decoded = false;
  if (RequestDecoder::IsLong(version->spec(), *request)) return AcceptLong(state, version, request);
  try {
    // An empty body still needs memory that the parser may read.
    request->body.Reserve(1);
    Status status = state->decoder()->DecodeOwned(version->spec(), request);
    if (!status.ok()) return status;
    Accept(state, version, handle, request);
  } catch (const std::bad_alloc&) {
    return Status(Code::kQueueFull, kNoMemoryText);
  }
  *is_decoded = true;
  return Status();
}

}  // namespace sluice
