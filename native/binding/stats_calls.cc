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

// The counts of all histograms of a protocol lie in one block: a block of its own for each costs more than
// filling it, and drives the garbage collector.
class HistogramBlock {
 public:
  HistogramBlock(Napi::Env env, size_t histograms)
      : block_(Napi::ArrayBuffer::New(env, histograms * kBytes)) {}

  // {counts, sumNs}
  Napi::Object Add(const Histogram& histogram) {
    const Napi::Env env = block_.Env();
    auto object = Napi::Object::New(env);
    auto counts = Napi::Float64Array::New(env, Histogram::kBuckets, block_, used_);
    used_ += kBytes;
    double* at = counts.Data();
    for (int i = 0; i < Histogram::kBuckets; ++i) at[i] = static_cast<double>(histogram.CountAt(i));
    object.Set("counts", counts);
    object.Set("sumNs", Whole(env, static_cast<uint64_t>(histogram.SumNs())));
    return object;
  }

 private:
  static constexpr size_t kBytes = Histogram::kBuckets * sizeof(double);
  Napi::ArrayBuffer block_;
  size_t used_ = 0;
};

Napi::Object FromProtocol(Napi::Env env, const ProtocolStats& stats, const char* name) {
  auto object = Napi::Object::New(env);
  object.Set("protocol", name);
  auto stages = Napi::Array::New(env, kStageCount);
  HistogramBlock block(env, kStageCount + 2);
  for (uint32_t i = 0; i < kStageCount; ++i) stages.Set(i, block.Add(stats.stages[i]));
  object.Set("stages", stages);
  object.Set("ok", block.Add(stats.ok_total));
  object.Set("failed", block.Add(stats.failed_total));
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

ModelVersion* VersionOf(const Napi::CallbackInfo& info) {
  auto* state = static_cast<AddonState*>(info.Data());
  if (!state->is_open()) throw Napi::Error::New(info.Env(), "the engine is not open");
  ModelVersion* version = state->engine()->Version(info[0].As<Napi::Number>());
  if (version == nullptr) throw Napi::Error::New(info.Env(), "no open model has this handle");
  return version;
}

}  // namespace

Napi::Value StatsMark(const Napi::CallbackInfo& info) {
  const ModelVersion* version = VersionOf(info);
  // Too rare and too large steps to be made up for by counters.
  constexpr uint64_t kInFlightStep = 0xc2b2ae3d27d4eb4f;
  constexpr uint64_t kSlabStep = 0x9e3779b97f4a7c15;
  return Whole(info.Env(), version->stats.Mark() +
                               kInFlightStep * static_cast<uint64_t>(version->in_flight()) +
                               kSlabStep * version->slab_bytes());
}

Napi::Value Stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ModelVersion* version = VersionOf(info);

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
  Set(object, "slabBytes", version->slab_bytes());
  if (const int64_t bytes = version->ArenaBytes(); bytes >= 0) Set(object, "arenaBytes", bytes);
  const VersionQueue* queue = version->queue();
  Set(object, "hungRuns", queue == nullptr ? 0 : queue->hung_runs());
  object.Set("isHung", queue != nullptr && queue->is_hung());
  object.Set("lastFailure", version->LastFailure());
  return object;
}

}  // namespace sluice
