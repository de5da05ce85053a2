// The path of a WebSocket message into a request, up to the point where JavaScript has chosen its target:
// verify, tell the numbers. It goes on as a collected body does: submitBody or bodyDrop. Loop thread.
#include "binding/calls.h"
#include "codec/frame_decoder.h"

namespace sluice {

namespace {

enum FrameFlag : uint32_t {
  kHasModel = 1,
  kHasVersion = 2,
  kHasRoutingKey = 4,
  kHasTraceparent = 8,
  kWantsTimes = 16,
};

enum FrameTextField : uint32_t { kModel, kVersion, kRoutingKey, kTraceparent };

AddonState* StateOf(const Napi::CallbackInfo& info) { return static_cast<AddonState*>(info.Data()); }

uint32_t FlagsOf(const FrameHead& head) {
  // A text that is there but empty is one that names nothing, not an absent one.
  return (head.model.data() != nullptr ? kHasModel : 0u) |
         (head.version.data() != nullptr ? kHasVersion : 0u) |
         (head.routing_key.data() != nullptr ? kHasRoutingKey : 0u) |
         (head.traceparent.data() != nullptr ? kHasTraceparent : 0u) | (head.wants_times ? kWantsTimes : 0u);
}

Status Read(const Request& request, FrameHead* head) {
  return ReadFrameHead(request.body.data(), request.body.size(), head);
}

}  // namespace

Napi::Value ReadFrame(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  const auto refuse = [&](Request* request, const Status& status) {
    state->last_error = status.message();
    if (request != nullptr) {
      state->port()->Release(request);
      state->port()->RecycleTickets();
    }
    return Napi::Number::New(info.Env(), -static_cast<double>(status.code()));
  };
  if (!state->is_open()) return refuse(nullptr, Status(Code::kDraining, "the engine is not open"));
  auto message = info[0].As<Napi::ArrayBuffer>();
  Request* request = state->port()->Acquire();
  FrameHead head;
  try {
    // The one copy of the tensors. The message's own memory may lie at any address and dies with the
    // callback.
    request->body.Append(message.Data(), message.ByteLength());
    if (Status status = Read(*request, &head); !status.ok()) return refuse(request, status);
  } catch (const std::bad_alloc&) {
    return refuse(request, Status(Code::kQueueFull, "out of memory for the message"));
  }
  request->wire = WireForm::kFrame;
  request->frame_id = head.id;
  request->wants_times = head.wants_times;
  uint32_t* facts = state->frame_facts();
  facts[kFrameKind] = static_cast<uint32_t>(head.kind);
  facts[kFrameId] = head.id;
  facts[kFrameModelNumber] = head.model_number;
  facts[kFrameDeadlineMs] = head.deadline_ms;
  facts[kFramePriority] = head.priority;
  facts[kFrameFlags] = FlagsOf(head);
  const double body_id = request->ticket;
  if (head.kind != FrameKind::kRequest) {
    state->port()->Release(request);
    state->port()->RecycleTickets();
  }
  return Napi::Number::New(info.Env(), body_id);
}

Napi::Value FrameText(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  Request* request =
      state->is_open() ? state->port()->Find(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  FrameHead head;
  if (request == nullptr || request->version != nullptr || request->wire != WireForm::kFrame ||
      !Read(*request, &head).ok()) {
    throw Napi::Error::New(info.Env(), "no frame has this number");
  }
  const std::string_view texts[] = {head.model, head.version, head.routing_key, head.traceparent};
  const uint32_t field = info[1].As<Napi::Number>();
  const std::string_view text = field <= kTraceparent ? texts[field] : std::string_view();
  return Napi::String::New(info.Env(), text.data() == nullptr ? "" : text.data(), text.size());
}

}  // namespace sluice
