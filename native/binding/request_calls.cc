// The path of a request across the border: submit, flush at the end of the tick, drain. Loop thread.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "binding/accept.h"
#include "binding/calls.h"
#include "binding/unread.h"
#include "codec/frame_bundle.h"
#include "engine/hand_out.h"
#include "engine/refusal.h"
#include "engine/stage_times.h"

namespace sluice {

namespace {

AddonState* StateOf(const Napi::CallbackInfo& info) { return static_cast<AddonState*>(info.Data()); }

// Longer replies get memory of their own instead of passing through the shared one.
constexpr size_t kLongReplyBytes = 128 * 1024;

Napi::Value Number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

// Takes back a request that is refused; answers minus the error number.
Napi::Value Refuse(const Napi::CallbackInfo& info, AddonState* state, ModelVersion* version, Request* request,
                   const Status& status) {
  state->last_error = status.message();
  const bool is_known = version != nullptr && request != nullptr;
  state->last_retry_ms = is_known ? RetryAfterMs(state, *version, request->priority, status.code()) : 0;
  if (request != nullptr) {
    const bool was_accepted = request->version != nullptr;
    request->version = nullptr;
    if (version != nullptr) version->stats.Refused(request->wire, status.code());
    Discard(state, request);
    // With nothing in flight the version may go.
    if (was_accepted) version->Withdrawn();
  }
  return Number(info, -static_cast<double>(status.code()));
}

// What the client wants of the wait; the version's own limits are put in when it is accepted.
void ReadUrgency(const Napi::CallbackInfo& info, const ModelVersion& version, Request* request) {
  request->submitted_ns = NowNs();
  SetUrgency(version, info[3].As<Napi::Number>().DoubleValue(), info[4].As<Napi::Number>().Uint32Value(),
             request);
}

// What the client gets. Of a request that is still running nothing else may be looked at.
struct Answer {
  Answer(AddonState* state, const Request& request) : ticket(request.ticket) {
    if (request.early_code != Code::kOk) {
      code = request.early_code;
      bytes = kLateText;
      size = sizeof(kLateText) - 1;
    } else {
      code = request.code;
      bytes = request.reply.data();
      size = request.reply.size();
      // One that was refused without a version brings the time of another try with it.
      const auto* version = static_cast<ModelVersion*>(request.version);
      head_bytes = code == Code::kOk || version == nullptr
                       ? request.reply_head_bytes
                       : RetryAfterMs(state, *version, request.priority, code);
    }
  }
  void WriteRow(uint32_t* row, size_t offset) const {
    row[0] = ticket;
    row[1] = static_cast<uint32_t>(code);
    row[2] = static_cast<uint32_t>(offset);
    row[3] = static_cast<uint32_t>(size);
    row[4] = static_cast<uint32_t>(head_bytes);
  }

  uint32_t ticket;
  Code code;
  const void* bytes;
  size_t size;
  size_t head_bytes = 0;  // of an error: after how many ms to try again
};

// Before the answers are looked for, so that those of the pause go out with it.
void Rest(LoopRest* rest) {
  if (!rest->has_refused()) return;
  const int64_t rest_ns = rest->TakeNs(NowNs());
  if (rest_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(rest_ns));
}

int FillRing(AddonState* state) {
  CompletionPort* port = state->port().get();
  HandOut hand_out(port);
  // Whatever was delivered from the ring before has been read by now.
  port->RecycleTickets();
  state->ring()[kRingIsRead] = 0;
  uint32_t* has_more = &state->ring()[kRingHasMore];
  *has_more = 1;
  size_t rows = 0;
  size_t offset = 0;
  while (rows < kRingRows) {
    Request* request = port->NextCompleted();
    if (request == nullptr) {
      *has_more = 0;
      break;
    }
    if (request->is_told_early) {
      hand_out.Add(request);
      continue;
    }
    const Answer answer(state, *request);
    const bool is_long = answer.size > kLongReplyBytes;
    if (is_long && rows == 0) {
      port->PutBack();
      return -1;
    }
    // A reply frame lies behind its record, and the next record behind it: replies to one socket that follow
    // each other leave as a bundle without another copy.
    const bool is_frame = answer.code == Code::kOk && request->wire == WireForm::kFrame;
    const size_t at = offset + (is_frame ? kRecordBytes : 0);
    const size_t end = AlignUp(at + answer.size);
    if (is_long || end > kReplyBytes) {
      port->PutBack();
      break;
    }
    answer.WriteRow(state->ring() + rows * kRingFields, at);
    WriteStageTimes(*request, hand_out.now_ns(), state->times() + rows * kStageCount);
    if (is_frame) {
      WriteRecord(state->replies() + offset, static_cast<uint32_t>(answer.size));
      offset = NextRecordAt(at + answer.size);
      // No byte of an earlier reply may lie between two frames.
      std::memset(state->replies() + offset - kRecordBytes, 0, kRecordBytes);
    } else {
      offset = end;
    }
    if (answer.size > 0) std::memcpy(state->replies() + at, answer.bytes, answer.size);
    ++rows;
    hand_out.Add(request);
  }
  return static_cast<int>(rows);
}

}  // namespace

Napi::Value Submit(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  const uint32_t handle = info[0].As<Napi::Number>();
  ModelVersion* version = StartedVersion(state, handle);
  if (version == nullptr)
    return Refuse(info, state, nullptr, nullptr, Status(Code::kNotReady, "the model version is not ready"));
  const auto head_length = static_cast<int64_t>(info[1].As<Napi::Number>().DoubleValue());
  auto body = info[2].As<Napi::ArrayBuffer>();
  const auto* bytes = static_cast<const uint8_t*>(body.Data());
  const size_t size = body.ByteLength();

  Request* request = state->Acquire();
  ReadUrgency(info, *version, request);
  request->body_bytes = size;
  AttachShadow(state->TakeNextShadow(), *version, request);
  try {
    Status status = MayBeRead(state, *version, handle, *request);
    if (status.ok() && V2Decoder::IsLong(version->spec(), size, head_length)) {
      request->body.Append(bytes, size);
      request->head_length = head_length;
      status = AcceptLong(state, version, request);
    } else if (status.ok()) {
      status = state->decoder()->v2()->Decode(version->spec(), bytes, size, head_length, request);
      request->decoded_ns = NowNs();
      if (status.ok()) Accept(state, version, handle, request);
    }
    if (!status.ok()) return Refuse(info, state, version, request, status);
  } catch (const std::bad_alloc&) {
    return Refuse(info, state, version, request, Status(Code::kQueueFull, kNoMemoryText));
  }
  return Number(info, request->ticket);
}

Napi::Value SubmitBody(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  const uint32_t handle = info[0].As<Napi::Number>();
  Request* request = state->port()->Find(info[2].As<Napi::Number>().Uint32Value());
  if (request == nullptr || request->version != nullptr) {
    return Refuse(info, state, nullptr, nullptr, Status(Code::kInternal, "no body has this number"));
  }
  ModelVersion* version = StartedVersion(state, handle);
  if (version == nullptr)
    return Refuse(info, state, version, request, Status(Code::kNotReady, "the model version is not ready"));
  ReadUrgency(info, *version, request);
  request->body_bytes = request->body.size();
  AttachShadow(state->TakeNextShadow(), *version, request);
  request->head_length = static_cast<int64_t>(info[1].As<Napi::Number>().DoubleValue());
  bool is_decoded = false;
  Status status = MayBeRead(state, *version, handle, *request);
  if (status.ok()) status = AcceptOwned(state, version, handle, request, &is_decoded);
  if (!status.ok()) return Refuse(info, state, version, request, status);
  if (is_decoded) request->decoded_ns = NowNs();
  return Number(info, request->ticket);
}

Napi::Value Flush(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (!state->is_open()) return Number(info, 0);
  AcceptFrames(state, info[0].As<Napi::Number>().Uint32Value());
  state->batcher()->Flush();
  Rest(state->batcher()->rest());
  return Number(info, FillRing(state));
}

Napi::Value Drain(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  return Number(info, state->is_open() ? FillRing(state) : 0);
}

Napi::Value TakeLong(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  Request* request = state->port()->NextCompleted();
  Answer(state, *request).WriteRow(state->ring(), 0);
  WriteStageTimes(*request, NowNs(), state->times());
  // Copying megabytes would hold the loop: JavaScript gets the memory itself.
  auto reply = std::make_unique<AlignedBuffer>();
  reply->Swap(&request->reply);
  HandOut(state->port().get()).Add(request);
  auto buffer = Napi::ArrayBuffer::New(
      info.Env(), reply->data(), reply->size(), [](Napi::Env, void*, AlignedBuffer* own) { delete own; },
      reply.get());
  reply.release();
  return buffer;
}

Napi::Value FreeLong(const Napi::CallbackInfo& info) {
  // Left to the collector, each would bring the next collection nearer by its size.
  info[0].As<Napi::ArrayBuffer>().Detach();
  return info.Env().Undefined();
}

Napi::Value Cancel(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (!state->is_open()) return info.Env().Undefined();
  Request* request = state->port()->Find(info[0].As<Napi::Number>().Uint32Value());
  if (request != nullptr) state->batcher()->Cancel(request);
  return info.Env().Undefined();
}

Napi::Value BodyOpen(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (!state->is_open()) throw Napi::Error::New(info.Env(), "the engine is not open");
  Request* request = state->Acquire();
  request->opened_ns = NowNs();
  const double expected = info[0].As<Napi::Number>().DoubleValue();
  // All of it at once: growing would copy megabytes on the loop. A Content-Length is only a claim, but memory
  // that is never written is never really taken, and admission has checked the claim against its limits.
  try {
    if (expected > 0) request->body.Reserve(static_cast<size_t>(expected));
  } catch (const std::bad_alloc&) {
    Discard(state, request);
    throw;
  }
  return Number(info, request->ticket);
}

Napi::Value BodyAppend(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  Request* request =
      state->is_open() ? state->port()->Find(info[0].As<Napi::Number>().Uint32Value()) : nullptr;
  if (request == nullptr || request->version != nullptr)
    throw Napi::Error::New(info.Env(), "no body has this number");
  auto chunk = info[1].As<Napi::ArrayBuffer>();
  request->body.Append(chunk.Data(), chunk.ByteLength());
  return info.Env().Undefined();
}

Napi::Value BodyDrop(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (!state->is_open()) return info.Env().Undefined();
  Request* request = state->port()->Find(info[0].As<Napi::Number>().Uint32Value());
  if (request != nullptr && request->version == nullptr) Discard(state, request);
  return info.Env().Undefined();
}

}  // namespace sluice
