// The rare calls: engine, models, facts. Those that take long answer a promise, work on a loader thread, and
// come back through the completion port of the loop that asked.
#include "binding/calls.h"
#include "binding/convert.h"

namespace sluice {

namespace {

AddonState* StateOf(const Napi::CallbackInfo& info) { return static_cast<AddonState*>(info.Data()); }

AddonState* OpenStateOf(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (!state->is_open()) throw Napi::Error::New(info.Env(), "the engine is not open");
  return state;
}

// Pairs of rows and microseconds.
Napi::Array FromCosts(Napi::Env env, const std::vector<CostPoint>& points) {
  auto costs = Napi::Array::New(env);
  for (const CostPoint& point : points) {
    auto pair = Napi::Array::New(env, 2);
    pair.Set(0u, static_cast<double>(point.rows));
    pair.Set(1u, static_cast<double>(point.run_ns) / 1e3);
    costs.Set(costs.Length(), pair);
  }
  return costs;
}

}  // namespace

Napi::Value InBackground(const Napi::CallbackInfo& info, std::function<Status()> work,
                         std::function<Napi::Value(Napi::Env)> settle) {
  AddonState* state = OpenStateOf(info);
  auto deferred = std::make_shared<Napi::Promise::Deferred>(info.Env());
  const Napi::Env env = info.Env();
  // The engine is not kept alive by its own loader thread: its end waits for loaders.
  state->engine()->OnLoaderThread(state->port(), std::move(work),
                                  [env, state, deferred, settle = std::move(settle)](const Status& status) {
                                    if (state->is_closing()) return;
                                    Napi::HandleScope scope(env);
                                    try {
                                      if (!status.ok()) throw ToError(env, status);
                                      deferred->Resolve(settle(env));
                                    } catch (const Napi::Error& error) {
                                      deferred->Reject(error.Value());
                                    } catch (const std::exception& error) {
                                      deferred->Reject(Napi::Error::New(env, error.what()).Value());
                                    }
                                  });
  return deferred->Promise();
}

Napi::Value OpenEngine(const Napi::CallbackInfo& info) {
  AddonState* state = StateOf(info);
  if (state->is_open()) throw Napi::Error::New(info.Env(), "the engine is open already");
  const Status status =
      state->Open(info.Env(), ToEngineOptions(info[0].As<Napi::Object>()), info[1].As<Napi::Function>());
  if (!status.ok()) throw ToError(info.Env(), status);
  auto answer = Napi::Object::New(info.Env());
  answer.Set("ring", state->RingBuffer());
  answer.Set("replies", state->ReplyBuffer());
  answer.Set("frameFacts", state->FrameFactsBuffer());
  answer.Set("frameChoices", state->FrameChoicesBuffer());
  answer.Set("times", state->TimesBuffer());
  answer.Set("nextShadow", state->NextShadowBuffer());
  return answer;
}

Napi::Value CloseEngine(const Napi::CallbackInfo& info) {
  StateOf(info)->Close();
  return info.Env().Undefined();
}

Napi::Value Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AddonState* state = OpenStateOf(info);
  const Ort& ort = state->engine()->ort();
  auto object = Napi::Object::New(env);
  object.Set("onnxruntimePath", ort.path);
  object.Set("onnxruntimeVersion", ort.version);
  object.Set("workers", state->engine()->options().workers);
  object.Set("hasCuda", false);
  auto providers = Napi::Array::New(env, ort.providers.size());
  for (uint32_t i = 0; i < ort.providers.size(); ++i) providers.Set(i, ort.providers[i]);
  object.Set("providers", providers);
  return object;
}

Napi::Value OpenModel(const Napi::CallbackInfo& info) {
  Engine* engine = OpenStateOf(info)->engine();
  auto handle = std::make_shared<uint32_t>(0);
  return InBackground(
      info,
      [engine, handle, options = ToSessionOptions(info[0].As<Napi::Object>())] {
        return engine->Open(options, handle.get());
      },
      [engine, handle](Napi::Env env) -> Napi::Value {
        const ModelVersion* version = engine->Version(*handle);
        Napi::Object opened = FromSignature(env, version->signature());
        opened.Set("handle", *handle);
        opened.Set("files", FromFiles(env, version->load_facts().files));
        opened.Set("loadedBytes", static_cast<double>(version->load_facts().loaded_bytes));
        return opened;
      });
}

Napi::Value StartModel(const Napi::CallbackInfo& info) {
  Engine* engine = OpenStateOf(info)->engine();
  const uint32_t handle = info[0].As<Napi::Number>();
  StartOptions options = ToStartOptions(info[1].As<Napi::Object>());
  options.warm_up_rows = info[2].As<Napi::Number>().Int64Value();
  ModelVersion* held = engine->Version(handle);
  if (held == nullptr) throw Napi::Error::New(info.Env(), "no open model has this handle");
  // Whoever waits no longer for the warm-up closes the version under it.
  held->Hold();
  const auto start = [engine, handle, held, options] {
    Status status = engine->Start(handle, options);
    held->LetGo();
    return status;
  };
  const auto settle = [engine, handle](Napi::Env env) -> Napi::Value {
    ModelVersion* version = engine->Version(handle);
    if (version == nullptr) throw Napi::Error::New(env, "the model was closed while it started");
    auto report = Napi::Object::New(env);
    report.Set("execution", version->runs_inline() ? "inline" : "worker");
    report.Set("batchLimitRows", static_cast<double>(version->limit_rows()));
    report.Set("warmupMs", static_cast<double>(version->warm_up_ns()) / 1e6);
    report.Set("costUs", FromCosts(env, version->cost().points()));
    auto by_length = Napi::Array::New(env);
    for (const LengthCost& cost : version->length_costs()) {
      auto pair = Napi::Array::New(env, 2);
      pair.Set(0u, static_cast<double>(cost.length));
      pair.Set(1u, FromCosts(env, cost.table.points()));
      by_length.Set(by_length.Length(), pair);
    }
    report.Set("costUsByLength", by_length);
    return report;
  };
  try {
    return InBackground(info, start, settle);
  } catch (...) {
    held->LetGo();
    throw;
  }
}

Napi::Value CloseModel(const Napi::CallbackInfo& info) {
  AddonState* state = OpenStateOf(info);
  Engine* engine = state->engine();
  const uint32_t handle = info[0].As<Napi::Number>();
  ModelVersion* version = engine->Take(handle);
  if (version == nullptr) throw Napi::Error::New(info.Env(), "no open model has this handle");
  try {
    // Shadows hold their version, so they go first.
    const auto shadows = state->shadows()->TakeOf(version);
    return InBackground(
        info,
        [engine, version, shadows] {
          for (const auto& shadow : shadows) shadow->Close(std::chrono::milliseconds(0));
          engine->Free(version);
          return Status();
        },
        [](Napi::Env env) { return env.Undefined(); });
  } catch (...) {
    engine->PutBack(handle, version);
    throw;
  }
}

}  // namespace sluice
