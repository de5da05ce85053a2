// What JavaScript reads of a version's statistics, in one call: numbers and typed arrays that it owns. Asked
// by a scrape or a person, never on the way of a request. Loop thread.
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "binding/calls.h"

namespace sluice {

namespace {

Napi::Value Whole(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }

template <typename Value>
void Set(Napi::Object object, const char* key, Value value) {
  object.Set(key, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

// {counts, sumNs}
Napi::Object FromHistogram(Napi::Env env, const Histogram& histogram) {
  auto object = Napi::Object::New(env);
  auto counts = Napi::Float64Array::New(env, Histogram::kBuckets);
  for (int i = 0; i < Histogram::kBuckets; ++i)
    counts[static_cast<size_t>(i)] = static_cast<double>(histogram.CountAt(i));
  object.Set("counts", counts);
  object.Set("sumNs", Whole(env, static_cast<uint64_t>(histogram.SumNs())));
  return object;
}

Napi::Object FromProtocol(Napi::Env env, const ProtocolStats& stats, const char* name) {
  auto object = Napi::Object::New(env);
  object.Set("protocol", name);
  auto stages = Napi::Array::New(env, kStageCount);
  for (uint32_t i = 0; i < kStageCount; ++i) stages.Set(i, FromHistogram(env, stats.stages[i]));
  object.Set("stages", stages);
  object.Set("ok", FromHistogram(env, stats.ok_total));
  object.Set("failed", FromHistogram(env, stats.failed_total));
  auto outcomes = Napi::Float64Array::New(env, kOutcomeCount);
  for (size_t i = 0; i < kOutcomeCount; ++i) outcomes[i] = static_cast<double>(stats.outcomes[i].load());
  object.Set("outcomes", outcomes);
  Set(object, "requestBytes", stats.request_bytes.load());
  Set(object, "replyBytes", stats.reply_bytes.load());
  return object;
}

Napi::Array FromBatchSizes(Napi::Env env, const VersionStats& stats) {
  auto sizes = Napi::Array::New(env);
  stats.VisitBatchSizes([&](int64_t rows, const BatchSizeStats& size) {
    auto object = Napi::Object::New(env);
    Set(object, "rows", rows);
    Set(object, "runs", size.runs.load());
    object.Set("gatherNs", Whole(env, static_cast<uint64_t>(size.gather_ns.load())));
    object.Set("runNs", Whole(env, static_cast<uint64_t>(size.run_ns.load())));
    object.Set("encodeNs", Whole(env, static_cast<uint64_t>(size.encode_ns.load())));
    sizes.Set(sizes.Length(), object);
  });
  return sizes;
}

double LastOkMs(const VersionStats& stats) {
  const int64_t last_ns = stats.last_ok_ns();
  if (last_ns == 0) return 0;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const int64_t wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count();
  return static_cast<double>((wall_ns - (NowNs() - last_ns)) / 1'000'000);
}

}  // namespace

Napi::Value Stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* state = static_cast<AddonState*>(info.Data());
  if (!state->is_open()) throw Napi::Error::New(env, "the engine is not open");
  ModelVersion* version = state->engine()->Version(info[0].As<Napi::Number>());
  if (version == nullptr) throw Napi::Error::New(env, "no open model has this handle");

  const VersionStats& stats = version->stats;
  auto object = Napi::Object::New(env);
  auto protocols = Napi::Array::New(env);
  for (int i = 0; i < kProtocolCount; ++i) {
    const ProtocolStats* one = stats.protocol(i);
    if (one != nullptr) protocols.Set(protocols.Length(), FromProtocol(env, *one, kProtocolNames[i]));
  }
  object.Set("protocols", protocols);
  auto refusals = Napi::Float64Array::New(env, kMostCodes);
  for (int i = 0; i < kMostCodes; ++i)
    refusals[static_cast<size_t>(i)] = static_cast<double>(stats.refused(i));
  object.Set("errors", refusals);
  auto releases = Napi::Float64Array::New(env, kReleaseCount);
  for (int i = 0; i < kReleaseCount; ++i)
    releases[static_cast<size_t>(i)] = static_cast<double>(stats.released(i));
  object.Set("releases", releases);
  object.Set("batchSizes", FromBatchSizes(env, stats));
  Set(object, "paddedElements", stats.padded_elements());
  Set(object, "paddingElements", stats.padding_elements());
  Set(object, "okRows", stats.ok_rows());
  Set(object, "failedRuns", stats.failed_runs());
  Set(object, "waiting", stats.waiting());
  Set(object, "inFlight", version->in_flight());
  Set(object, "lastOkMs", LastOkMs(stats));
  const VersionQueue* queue = version->queue();
  Set(object, "hungRuns", queue == nullptr ? 0 : queue->hung_runs());
  object.Set("isHung", queue != nullptr && queue->is_hung());
  object.Set("lastFailure", version->LastFailure());
  return object;
}

}  // namespace sluice
