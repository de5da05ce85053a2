// The last steps of a request on its way in, whichever call brought it: when it must be answered, who else
// wants the answer, its tensors, its place in the queue. Loop thread; the request stays its port's.
#pragma once

#include <memory>

#include "binding/addon_state.h"
#include "engine/model_version.h"

namespace sluice {

// Takes back a request that nobody has accepted.
void Discard(AddonState* state, Request* request);

// From `request->submitted_ns` on. `timeout_ms`: what the client has left, 0 where it did not say.
void SetUrgency(const ModelVersion& version, double timeout_ms, uint32_t priority, Request* request);

// `shadow` may be null.
void AttachShadow(std::shared_ptr<ShadowLink> shadow, const ModelVersion& version, Request* request);

// Whether the request, whose urgency is set, may be read at all.
Status MayBeRead(AddonState* state, const ModelVersion& version, uint32_t handle, const Request& request);

// The request's tensors are decoded. May throw std::bad_alloc: then it was not accepted.
void Accept(AddonState* state, ModelVersion* version, uint32_t handle, Request* request);

// Decodes the body that the request owns, here or on the decode thread, and accepts it. `is_decoded`: it was
// here. Not OK: refused; with its `version` set, it was accepted and is to be withdrawn.
Status AcceptOwned(AddonState* state, ModelVersion* version, uint32_t handle, Request* request,
                   bool* is_decoded);

// The same for a body that takes long to decode.
Status AcceptLong(AddonState* state, ModelVersion* version, Request* request);

}  // namespace sluice
