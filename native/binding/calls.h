// The functions that JavaScript sees, as listed in addon.cc. Each runs on the loop of its environment.
#pragma once

#include <napi.h>

#include <functional>

#include "binding/addon_state.h"

namespace sluice {

Napi::Value OpenEngine(const Napi::CallbackInfo& info);   // (options, deliver) -> {ring, replies, frameFacts}
Napi::Value CloseEngine(const Napi::CallbackInfo& info);  // ()
Napi::Value Info(const Napi::CallbackInfo& info);         // () -> facts
Napi::Value OpenModel(const Napi::CallbackInfo& info);    // (options) -> promise of {handle, inputs, outputs}
Napi::Value StartModel(const Napi::CallbackInfo& info);   // (handle, plan) -> promise of a start report
Napi::Value CloseModel(const Napi::CallbackInfo& info);   // (handle) -> promise
Napi::Value Stats(const Napi::CallbackInfo& info);        // (handle) -> counters
Napi::Value StatsMark(const Napi::CallbackInfo& info);    // (handle) -> bigint that differs once they do

// The path of a request: numbers in, numbers out, no object is made.
// (handle, headLength, ArrayBuffer, timeoutMs, priority) -> ticket or -error
Napi::Value Submit(const Napi::CallbackInfo& info);
// (handle, headLength, bodyId, timeoutMs, priority) -> ticket or -error
Napi::Value SubmitBody(const Napi::CallbackInfo& info);
// (handle, timeoutMs) -> minus the error number of a request that was refused before its body was read, or 0
Napi::Value RefuseUnread(const Napi::CallbackInfo& info);
Napi::Value LastRetryMs(const Napi::CallbackInfo& info);    // () -> ms, 0 = nobody knows
Napi::Value LastErrorText(const Napi::CallbackInfo& info);  // () -> string
Napi::Value Flush(const Napi::CallbackInfo& info);  // (frames that are chosen) -> rows in the ring, as Drain
Napi::Value Drain(
    const Napi::CallbackInfo& info);  // () -> rows in the ring; -1: one long reply, see TakeLong
Napi::Value TakeLong(const Napi::CallbackInfo& info);      // () -> ArrayBuffer, its row is the ring's first
Napi::Value FreeLong(const Napi::CallbackInfo& info);      // (ArrayBuffer of TakeLong)
Napi::Value Cancel(const Napi::CallbackInfo& info);        // (ticket)
Napi::Value ReadFrames(const Napi::CallbackInfo& info);    // (ArrayBuffer) -> frames or -error; see FrameFact
Napi::Value SubmitFrames(const Napi::CallbackInfo& info);  // (frames that are chosen); see FrameChoice
// (text, number): frames that name this model are told with its number
Napi::Value NumberFrameModel(const Napi::CallbackInfo& info);
Napi::Value FrameText(const Napi::CallbackInfo& info);   // (bodyId, FrameTextField) -> string
Napi::Value BodyOpen(const Napi::CallbackInfo& info);    // (expectedBytes) -> bodyId
Napi::Value BodyAppend(const Napi::CallbackInfo& info);  // (bodyId, ArrayBuffer)
Napi::Value BodyDrop(const Napi::CallbackInfo& info);    // (bodyId)

Napi::Value OpenShadow(const Napi::CallbackInfo& info);    // (primary, shadow, rules) -> number of the shadow
Napi::Value CloseShadow(const Napi::CallbackInfo& info);   // (number) -> promise of whether its run has ended
Napi::Value ShadowReport(const Napi::CallbackInfo& info);  // (number) -> what it found out so far
Napi::Value ShadowMismatches(
    const Napi::CallbackInfo& info);  // (number) -> promise of the worst, with bodies

// Takes in the frames of the first `count` rows of FrameChoice. One that is refused is answered with the
// others.
void AcceptFrames(AddonState* state, size_t count);

// Runs `work` on a loader thread, then `settle` on the loop; answers the promise of what `settle` makes.
Napi::Value InBackground(const Napi::CallbackInfo& info, std::function<Status()> work,
                         std::function<Napi::Value(Napi::Env)> settle);

}  // namespace sluice
