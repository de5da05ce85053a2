// Shadows across the border: open, close, what they found out, and the mismatches they kept. Loop thread;
// closing waits on a loader thread. The way of a request carries a shadow's number in memory that both sides
// see.
#include <cstring>

#include "binding/calls.h"
#include "binding/convert.h"
#include "shadow/shadow_link.h"

namespace sluice {

namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr const char* kDropNames[] = {"queueFull", "bytesFull", "busy", "closed", "tooManyRows", "noMemory"};
constexpr const char* kSkipNames[] = {"inputShape", "runFailed"};
static_assert(std::size(kDropNames) == static_cast<size_t>(ShadowDrop::kCount));
static_assert(std::size(kSkipNames) == static_cast<size_t>(ShadowSkip::kCount));

AddonState* OpenStateOf(const Napi::CallbackInfo& info) {
  auto* state = static_cast<AddonState*>(info.Data());
  if (!state->is_open()) throw Napi::Error::New(info.Env(), "the engine is not open");
  return state;
}

ModelVersion* StartedVersion(const Napi::CallbackInfo& info, size_t argument) {
  ModelVersion* version =
      OpenStateOf(info)->engine()->Version(info[argument].As<Napi::Number>().Uint32Value());
  if (version == nullptr || !version->is_started())
    throw ToError(info.Env(), Status(Code::kNotReady, "expected two versions that are ready for a shadow"));
  return version;
}

const std::shared_ptr<ShadowLink>& LinkOf(const Napi::CallbackInfo& info) {
  const std::shared_ptr<ShadowLink>& link =
      OpenStateOf(info)->shadows()->Find(info[0].As<Napi::Number>().Uint32Value());
  if (link == nullptr) throw ToError(info.Env(), Status(Code::kNotReady, "no open shadow has this number"));
  return link;
}

double Real(const Napi::Object& object, const char* key, double otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : otherwise;
}

CompareRule ToCompareRule(const Napi::Object& object) {
  CompareRule rule;
  rule.absolute = Real(object, "absolute", rule.absolute);
  rule.relative = Real(object, "relative", rule.relative);
  rule.least_cosine = Real(object, "leastCosine", rule.least_cosine);
  rule.top_k = static_cast<int64_t>(Real(object, "topK", static_cast<double>(rule.top_k)));
  const std::string judge = object.Get("judge").ToString().Utf8Value();
  rule.judge = judge == "top1"     ? Judge::kTop1
               : judge == "cosine" ? Judge::kCosine
               : judge == "none"   ? Judge::kNone
                                   : Judge::kTolerance;
  return rule;
}

ShadowRules ToShadowRules(const Napi::Object& object, const ModelSpec& primary) {
  ShadowRules rules;
  rules.limits.pairs =
      static_cast<size_t>(Real(object, "maxWaiting", static_cast<double>(rules.limits.pairs)));
  rules.limits.bytes =
      static_cast<size_t>(Real(object, "maxWaitingBytes", static_cast<double>(rules.limits.bytes)));
  const Napi::Value outputs = object.Get("outputs");
  for (const TensorSpec& output : primary.outputs) {
    const Napi::Value rule = outputs.IsObject() ? outputs.As<Napi::Object>().Get(output.name) : Napi::Value();
    rules.by_output.push_back(!rule.IsEmpty() && rule.IsObject() ? ToCompareRule(rule.As<Napi::Object>())
                                                                 : CompareRule());
  }
  return rules;
}

void Set(Napi::Object* object, const char* key, double value) { object->Set(key, value); }
void Set(Napi::Object* object, const char* key, int64_t value) {
  object->Set(key, static_cast<double>(value));
}

// Pairs of [upper bound, count] of the buckets that hold something; the last bound may be infinite.
Napi::Array FromHistogram(Napi::Env env, const Histogram& histogram) {
  auto pairs = Napi::Array::New(env);
  for (int i = 0; i < Histogram::kBuckets; ++i) {
    const uint64_t count = histogram.CountAt(i);
    if (count == 0) continue;
    auto pair = Napi::Array::New(env, 2);
    const int64_t upper_ns = Histogram::UpperNs(i);
    pair.Set(0u,
             upper_ns < 0 ? std::numeric_limits<double>::infinity() : static_cast<double>(upper_ns) / 1e3);
    pair.Set(1u, static_cast<double>(count));
    pairs.Set(pairs.Length(), pair);
  }
  return pairs;
}

Napi::Array FromHistogram(Napi::Env env, const DifferenceHistogram& histogram) {
  auto pairs = Napi::Array::New(env);
  for (int i = 0; i < DifferenceHistogram::kBuckets; ++i) {
    auto pair = Napi::Array::New(env, 2);
    pair.Set(0u, DifferenceHistogram::Upper(i));
    pair.Set(1u, static_cast<double>(histogram.counts[static_cast<size_t>(i)].Get()));
    pairs.Set(pairs.Length(), pair);
  }
  return pairs;
}

Napi::Object FromOutputTotals(Napi::Env env, const TensorSpec& output, const OutputTotals& totals) {
  auto object = Napi::Object::New(env);
  const auto over = [](double sum, int64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : 0;
  };
  object.Set("name", output.name);
  object.Set("datatype", std::string(DataTypeName(output.type)));
  Set(&object, "requests", totals.requests.Get());
  Set(&object, "requestsApart", totals.requests_apart.Get());
  Set(&object, "otherShape", totals.other_shape.Get());
  Set(&object, "rows", totals.rows.Get());
  Set(&object, "rowsApart", totals.rows_apart.Get());
  Set(&object, "elements", totals.elements.Get());
  Set(&object, "elementsApart", totals.elements_apart.Get());
  Set(&object, "elementsOdd", totals.elements_odd.Get());
  Set(&object, "meanAbsolute", over(totals.sum_absolute.Get(), totals.elements.Get()));
  Set(&object, "maxAbsolute", totals.max_absolute.Get());
  Set(&object, "meanRelative", over(totals.sum_relative.Get(), totals.elements.Get()));
  Set(&object, "maxRelative", totals.max_relative.Get());
  Set(&object, "maxUlp", totals.max_ulp.Get());
  // Rows of another shape have no direction.
  const int64_t measured_rows = totals.elements.Get() > 0 ? totals.rows.Get() : 0;
  Set(&object, "meanCosine", measured_rows > 0 ? over(totals.sum_cosine.Get(), measured_rows) : 1);
  Set(&object, "leastCosine", totals.least_cosine.Get());
  Set(&object, "worstExcess", totals.worst_excess.Get());
  Set(&object, "vectors", totals.vectors.Get());
  Set(&object, "top1Agreed", totals.top1_agreed.Get());
  Set(&object, "topKShared", over(totals.top_k_shared.Get(), totals.vectors.Get()));
  object.Set("absolute", FromHistogram(env, totals.absolute));
  object.Set("relative", FromHistogram(env, totals.relative));
  return object;
}

Napi::Object FromDifference(Napi::Env env, const TensorSpec& output, const OutputDifference& difference) {
  auto object = Napi::Object::New(env);
  object.Set("name", output.name);
  object.Set("isOtherShape", difference.is_other_shape);
  Set(&object, "rows", difference.rows);
  Set(&object, "rowsApart", difference.rows_apart);
  Set(&object, "elementsApart", difference.elements_apart);
  Set(&object, "elementsOdd", difference.elements_odd);
  Set(&object, "maxAbsolute", difference.max_absolute);
  Set(&object, "maxRelative", difference.max_relative);
  Set(&object, "maxUlp", difference.max_ulp);
  Set(&object, "leastCosine", difference.least_cosine);
  Set(&object, "worstExcess", difference.worst_excess);
  Set(&object, "worstElement", difference.worst_element);
  Set(&object, "vectors", difference.vectors);
  Set(&object, "top1Agreed", difference.top1_agreed);
  return object;
}

Napi::Object FromBody(Napi::Env env, const V2Body& body) {
  auto object = Napi::Object::New(env);
  auto bytes = Napi::ArrayBuffer::New(env, body.bytes.size());
  if (!body.bytes.empty()) std::memcpy(bytes.Data(), body.bytes.data(), body.bytes.size());
  object.Set("bytes", bytes);
  object.Set("headLength", static_cast<double>(body.head_length));
  return object;
}

Napi::Object FromMismatch(Napi::Env env, const ModelSpec& primary, const Mismatch& mismatch) {
  auto object = Napi::Object::New(env);
  Set(&object, "number", mismatch.number);
  Set(&object, "unixMs", mismatch.unix_ms);
  Set(&object, "excess", mismatch.excess);
  Set(&object, "rows", mismatch.rows);
  auto outputs = Napi::Array::New(env);
  for (uint32_t i = 0; i < mismatch.by_output.size(); ++i)
    outputs.Set(i, FromDifference(env, primary.outputs[i], mismatch.by_output[i]));
  object.Set("outputs", outputs);
  if (mismatch.has_bodies) {
    object.Set("request", FromBody(env, mismatch.request));
    object.Set("primary", FromBody(env, mismatch.primary));
    object.Set("shadow", FromBody(env, mismatch.shadow));
  }
  return object;
}

}  // namespace

Napi::Value OpenShadow(const Napi::CallbackInfo& info) {
  AddonState* state = OpenStateOf(info);
  const ModelVersion* primary = StartedVersion(info, 0);
  ModelVersion* shadow = StartedVersion(info, 1);
  std::shared_ptr<ShadowLink> link;
  const Status status = ShadowLink::Open(primary->spec(), shadow,
                                         ToShadowRules(info[2].As<Napi::Object>(), primary->spec()), &link);
  if (!status.ok()) throw ToError(info.Env(), status);
  return Napi::Number::New(info.Env(), state->shadows()->Add(std::move(link)));
}

Napi::Value CloseShadow(const Napi::CallbackInfo& info) {
  std::shared_ptr<ShadowLink> link =
      OpenStateOf(info)->shadows()->Take(info[0].As<Napi::Number>().Uint32Value());
  auto has_ended = std::make_shared<bool>(true);
  return InBackground(
      info,
      [link, has_ended] {
        if (link != nullptr) *has_ended = link->Close(kPatience);
        return Status();
      },
      [has_ended](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, *has_ended); });
}

Napi::Value ShadowReport(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<ShadowLink>& link = LinkOf(info);
  const ShadowTotals& totals = link->totals();
  auto object = Napi::Object::New(env);
  Set(&object, "sampled", totals.sampled.load());
  Set(&object, "answered", totals.answered.load());
  Set(&object, "compared", totals.compared.Get());
  Set(&object, "apart", totals.apart.Get());
  Set(&object, "rows", totals.rows.Get());
  Set(&object, "runs", totals.runs.Get());
  Set(&object, "waiting", static_cast<int64_t>(link->queue().waiting()));
  Set(&object, "waitingBytes", static_cast<int64_t>(link->queue().waiting_bytes()));
  auto dropped = Napi::Object::New(env);
  for (size_t i = 0; i < std::size(kDropNames); ++i) Set(&dropped, kDropNames[i], totals.dropped[i].load());
  object.Set("dropped", dropped);
  auto skipped = Napi::Object::New(env);
  for (size_t i = 0; i < std::size(kSkipNames); ++i) Set(&skipped, kSkipNames[i], totals.skipped[i].Get());
  object.Set("skipped", skipped);
  object.Set("primaryRunUs", FromHistogram(env, totals.primary_run));
  object.Set("shadowRunUs", FromHistogram(env, totals.shadow_run));
  Set(&object, "primaryRunSumUs", static_cast<double>(totals.primary_run.SumNs()) / 1e3);
  Set(&object, "shadowRunSumUs", static_cast<double>(totals.shadow_run.SumNs()) / 1e3);
  auto outputs = Napi::Array::New(env);
  for (uint32_t i = 0; i < totals.by_output.size(); ++i)
    outputs.Set(i, FromOutputTotals(env, link->primary().outputs[i], *totals.by_output[i]));
  object.Set("outputs", outputs);
  return object;
}

Napi::Value ShadowMismatches(const Napi::CallbackInfo& info) {
  const std::shared_ptr<ShadowLink> link = LinkOf(info);
  auto kept = std::make_shared<std::vector<Mismatch>>();
  return InBackground(
      info,
      [link, kept] {
        *kept = link->store()->Read();
        return Status();
      },
      [link, kept](Napi::Env env) -> Napi::Value {
        auto array = Napi::Array::New(env);
        for (uint32_t i = 0; i < kept->size(); ++i)
          array.Set(i, FromMismatch(env, link->primary(), (*kept)[i]));
        return array;
      });
}

}  // namespace sluice
