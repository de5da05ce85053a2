// The path of a WebSocket message into requests: verify its frames, tell the numbers; once JavaScript has
// chosen their targets, take them in with the others of the tick. Loop thread.
#include <algorithm>
#include <string>

#include "base/clock.h"
#include "binding/accept.h"
#include "binding/calls.h"
#include "binding/unread.h"
#include "codec/frame_bundle.h"
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

// A text that is there but empty is one that names nothing, not an absent one.
uint32_t FlagsOf(const FrameHead& head) {
  return (head.model.data() != nullptr ? kHasModel : 0u) |
         (head.version.data() != nullptr ? kHasVersion : 0u) |
         (head.routing_key.data() != nullptr ? kHasRoutingKey : 0u) |
         (head.traceparent.data() != nullptr ? kHasTraceparent : 0u) | (head.wants_times ? kWantsTimes : 0u);
}

Status ReadHead(const Request& request, FrameHead* head) {
  return ReadFrameHead(request.body.data(), request.body.size(), head);
}

// A name that has a number is told as the number; with both given it stays what it is, an error.
void NumberModel(AddonState* state, FrameHead* head) {
  if (head->model.data() == nullptr || head->model_number != 0) return;
  head->model_number = state->FrameModelNumber(head->model);
  if (head->model_number != 0) head->model = std::string_view();
}

// Copies the frame in, verifies it there, and writes its facts as row `*count`.
Status ReadOne(AddonState* state, const BundledFrame& frame, int64_t now_ns, uint32_t* count) {
  Request* request = nullptr;
  FrameHead head;
  Status status;
  try {
    request = state->Acquire();
    // The one copy of the tensors. The message's own memory may lie at any address and dies with the
    // callback.
    request->body.Append(frame.bytes, frame.size);
    status = ReadHead(*request, &head);
  } catch (const std::bad_alloc&) {
    status = Status(Code::kQueueFull, "out of memory for the message");
  }
  if (request == nullptr) return status;
  if (!status.ok() || head.kind != FrameKind::kRequest) {
    Discard(state, request);
    if (!status.ok()) return status;
  } else {
    request->submitted_ns = now_ns;
    request->body_bytes = frame.size;
    request->wire = WireForm::kFrame;
    request->frame_id = head.id;
    request->wants_times = head.wants_times;
    NumberModel(state, &head);
  }
  uint32_t* facts = state->frame_facts() + *count * kFrameFacts;
  facts[kFrameKind] = static_cast<uint32_t>(head.kind);
  facts[kFrameId] = head.id;
  facts[kFrameModelNumber] = head.model_number;
  facts[kFrameDeadlineMs] = head.deadline_ms;
  facts[kFramePriority] = head.priority;
  facts[kFrameFlags] = FlagsOf(head);
  facts[kFrameBody] = request->ticket;
  facts[kFrameBytes] = static_cast<uint32_t>(frame.size);
  ++*count;
  return Status();
}

Status ReadBundle(AddonState* state, const uint8_t* bytes, size_t size, int64_t now_ns, uint32_t* count) {
  for (size_t at = 0; at < size;) {
    if (*count == kFrameRows) {
      return Status(Code::kBadRequest,
                    "expected at most " + std::to_string(kFrameRows) + " frames in a bundle, got more");
    }
    BundledFrame frame;
    if (Status status = NextInBundle(bytes, size, &at, &frame); !status.ok()) return status;
    if (Status status = ReadOne(state, frame, now_ns, count); !status.ok()) return status;
  }
  return Status();
}

// Takes back the requests of a message that is refused as a whole.
void DropRead(AddonState* state, uint32_t count) {
  for (uint32_t row = 0; row < count; ++row) {
    const uint32_t* facts = state->frame_facts() + row * kFrameFacts;
    if (facts[kFrameKind] == static_cast<uint32_t>(FrameKind::kRequest))
      Discard(state, state->port()->Find(facts[kFrameBody]));
  }
}

// An answer like any other, only that no version held the request.
void RefuseFrame(AddonState* state, ModelVersion* version, Request* request, const Status& status) {
  const bool was_accepted = request->version != nullptr;
  request->version = nullptr;
  request->Fail(status);
  if (version != nullptr) {
    request->reply_head_bytes = RetryAfterMs(state, *version, request->priority, status.code());
    version->stats.Refused(request->wire, status.code());
  }
  state->port()->CompleteOnLoop(request);
  // With nothing in flight the version may go.
  if (was_accepted) version->Withdrawn();
}

// True where it is decoded.
bool AcceptFrame(AddonState* state, const uint32_t* choice, Request* request) {
  const uint32_t handle = choice[kChoiceHandle];
  ModelVersion* version = StartedVersion(state, handle);
  if (version == nullptr) {
    RefuseFrame(state, nullptr, request, Status(Code::kNotReady, "the model version is not ready"));
    return false;
  }
  SetUrgency(*version, choice[kChoiceDeadlineMs], choice[kChoicePriority], request);
  if (choice[kChoiceShadow] != 0)
    AttachShadow(state->shadows()->Find(choice[kChoiceShadow]), *version, request);
  bool is_decoded = false;
  Status status = MayBeRead(state, *version, handle, *request);
  if (status.ok()) status = AcceptOwned(state, version, handle, request, &is_decoded);
  if (!status.ok()) RefuseFrame(state, version, request, status);
  return is_decoded;
}

}  // namespace

void AcceptFrames(AddonState* state, size_t count) {
  Request* decoded[kChoiceRows];
  size_t decoded_count = 0;
  for (size_t row = 0; row < std::min(count, kChoiceRows); ++row) {
    const uint32_t* choice = state->frame_choices() + row * kChoiceFields;
    Request* request = state->port()->Find(choice[kChoiceBody]);
    if (request == nullptr || request->version != nullptr) continue;
    if (AcceptFrame(state, choice, request)) decoded[decoded_count++] = request;
  }
  if (decoded_count == 0) return;
  // One look at the clock for all of them.
  const int64_t now_ns = NowNs();
  for (size_t i = 0; i < decoded_count; ++i) decoded[i]->decoded_ns = now_ns;
}

Napi::Value SubmitFrames(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (state->is_open()) AcceptFrames(state, info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value ReadFrames(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  const auto refuse = [&](const Status& status) {
    state->last_error = status.message();
    return Napi::Number::New(info.Env(), -static_cast<double>(status.code()));
  };
  if (!state->is_open()) return refuse(Status(Code::kDraining, "the engine is not open"));
  auto message = info[0].As<Napi::ArrayBuffer>();
  const auto* bytes = static_cast<const uint8_t*>(message.Data());
  const size_t size = message.ByteLength();
  const int64_t now_ns = NowNs();
  const bool is_bundle = IsBundle(bytes, size);
  state->frame_facts()[kFrameIsBundle] = is_bundle ? 1 : 0;
  uint32_t count = 0;
  Status status = is_bundle ? ReadBundle(state, bytes, size, now_ns, &count)
                            : ReadOne(state, {bytes, size}, now_ns, &count);
  if (status.ok()) return Napi::Number::New(info.Env(), count);
  DropRead(state, count);
  return refuse(status);
}

Napi::Value NumberFrameModel(const Napi::CallbackInfo& info) {
  StateOf(info)->NumberFrameModel(info[0].As<Napi::String>().Utf8Value(),
                                  info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value FrameText(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  Request* request =
      state->is_open() ? state->port()->Find(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  FrameHead head;
  if (request == nullptr || request->version != nullptr || request->wire != WireForm::kFrame ||
      !ReadHead(*request, &head).ok()) {
    throw Napi::Error::New(info.Env(), "no frame has this number");
  }
  const std::string_view texts[] = {head.model, head.version, head.routing_key, head.traceparent};
  const uint32_t field = info[1].As<Napi::Number>();
  const std::string_view text = field <= kTraceparent ? texts[field] : std::string_view();
  return Napi::String::New(info.Env(), text.data() == nullptr ? "" : text.data(), text.size());
}

}  // namespace sluice
