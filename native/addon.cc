// The export table of the addon, nothing else. Every name lives on the loop of the environment that loaded
// it.
#include "base/data_type.h"
#include "base/histogram.h"
#include "base/release.h"
#include "base/status.h"
#include "binding/calls.h"
#include "engine/version_stats.h"

namespace {

// Raised with every change of what follows; TypeScript refuses another number.
constexpr int kInterfaceNumber = 12;

template <size_t N>
Napi::Array Names(Napi::Env env, const char* const (&names)[N]) {
  auto array = Napi::Array::New(env, N);
  for (uint32_t i = 0; i < N; ++i) array.Set(i, names[i]);
  return array;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* state = new sluice::AddonState();
  env.AddCleanupHook([state] { delete state; });

  exports.Set("interfaceNumber", kInterfaceNumber);
  auto types = Napi::Array::New(env);
  for (int i = 1; i < sluice::kDataTypeCount; ++i)
    types.Set(static_cast<uint32_t>(i), std::string(sluice::kDataTypes[i].name));
  exports.Set("dataTypes", types);
  auto errors = Napi::Array::New(env);
  uint32_t number = 1;
  for (const char* name : sluice::kErrorNames) errors.Set(number++, name);
  exports.Set("errors", errors);

  exports.Set("stages", Names(env, sluice::kStageNames));
  exports.Set("outcomes", Names(env, sluice::kOutcomeNames));
  exports.Set("releases", Names(env, sluice::kReleaseNames));
  exports.Set("protocols", Names(env, sluice::kProtocolNames));
  auto bounds = Napi::Array::New(env, sluice::Histogram::kBuckets);
  for (int i = 0; i < sluice::Histogram::kBuckets; ++i)
    bounds.Set(static_cast<uint32_t>(i), static_cast<double>(sluice::Histogram::UpperNs(i)));
  exports.Set("bucketUpperNs", bounds);

  const auto add = [&](const char* name, Napi::Value (*call)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, call, name, state));
  };
  add("openEngine", sluice::OpenEngine);
  add("closeEngine", sluice::CloseEngine);
  add("info", sluice::Info);
  add("openModel", sluice::OpenModel);
  add("startModel", sluice::StartModel);
  add("closeModel", sluice::CloseModel);
  add("stats", sluice::Stats);
  add("statsMark", sluice::StatsMark);
  add("submit", sluice::Submit);
  add("submitBody", sluice::SubmitBody);
  add("refuseUnread", sluice::RefuseUnread);
  add("lastErrorText", sluice::LastErrorText);
  add("lastRetryMs", sluice::LastRetryMs);
  add("flush", sluice::Flush);
  add("drain", sluice::Drain);
  add("takeLong", sluice::TakeLong);
  add("freeLong", sluice::FreeLong);
  add("cancel", sluice::Cancel);
  add("readFrames", sluice::ReadFrames);
  add("frameText", sluice::FrameText);
  add("submitFrames", sluice::SubmitFrames);
  add("numberFrameModel", sluice::NumberFrameModel);
  add("bodyOpen", sluice::BodyOpen);
  add("bodyAppend", sluice::BodyAppend);
  add("bodyDrop", sluice::BodyDrop);
  add("openShadow", sluice::OpenShadow);
  add("closeShadow", sluice::CloseShadow);
  add("shadowReport", sluice::ShadowReport);
  add("shadowMismatches", sluice::ShadowMismatches);
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, Init)
