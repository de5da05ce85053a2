// Shadows without Node and without ONNX Runtime: real threads, a runner that does as it is told.
#include <atomic>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "codec/pad_request.h"
#include "engine/model_version.h"
#include "engine/run_batch.h"
#include "shadow/match_signature.h"
#include "shadow/mismatch_store.h"
#include "shadow/shadow_link.h"

namespace sluice {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

TensorSpec Tensor(const std::string& name, DataType type, std::vector<int64_t> dims) {
  TensorSpec tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.dims = tensor.model_dims = dims;
  tensor.row_elements = 1;
  for (const int64_t dim : dims) tensor.row_elements = dim < 0 ? -1 : tensor.row_elements * dim;
  tensor.reply_prefix = "{\"name\":\"" + name + "\",\"datatype\":\"FP32\",\"shape\":[";
  return tensor;
}

ModelSpec Spec(uint64_t serial, std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs) {
  ModelSpec spec;
  spec.serial = serial;
  spec.display = "model \"m\" version " + std::to_string(serial);
  spec.reply_prefix = "\"model_name\":\"m\"";
  spec.max_batch_rows = 4;
  spec.inputs = std::move(inputs);
  spec.outputs = std::move(outputs);
  return spec;
}

ModelSpec Usual(uint64_t serial) {
  return Spec(serial, {Tensor("X", DataType::kFp32, {2})}, {Tensor("Y", DataType::kFp32, {2})});
}

// Y = factor * X, unless told otherwise.
struct Script {
  float factor = 1;
  std::atomic<bool> throws{false};
  std::atomic<bool> hangs{false};
  std::atomic<int> runs{0};
};

class ScriptedSlot : public RunSlot {
 public:
  ScriptedSlot(Script* script) : script_(script) {}
  Status Run(const std::vector<RunTensor>& inputs, int64_t, std::vector<RunTensor>* outputs) override {
    ++script_->runs;
    while (script_->hangs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (script_->throws) throw std::runtime_error("as told");
    outputs->assign(1, inputs[0]);
    values_.resize(static_cast<size_t>(inputs[0].elements));
    std::memcpy(values_.data(), inputs[0].bytes, inputs[0].byte_count);
    for (float& value : values_) value *= script_->factor;
    (*outputs)[0].bytes = reinterpret_cast<const uint8_t*>(values_.data());
    return Status();
  }
  void Release() override {}

 private:
  Script* const script_;
  std::vector<float> values_;
};

class ScriptedRunner : public Runner {
 public:
  explicit ScriptedRunner(Script* script) : script_(script) {}
  const ModelSignature& signature() const override { return signature_; }
  std::unique_ptr<RunSlot> NewSlot(const ModelSpec&) override {
    return std::make_unique<ScriptedSlot>(script_);
  }

 private:
  Script* const script_;
  ModelSignature signature_;
};

// The same at any length, brought up to one of `lengths`; without lengths it has no rule.
ModelSpec AnyLength(uint64_t serial, std::vector<int64_t> lengths) {
  ModelSpec spec = Spec(serial, {Tensor("X", DataType::kFp32, {-1})}, {Tensor("Y", DataType::kFp32, {-1})});
  if (lengths.empty()) return spec;
  spec.inputs[0].pad_rule = 0;
  spec.outputs[0].follows = {0};
  spec.padding.push_back({{0}, kNoTensor, std::move(lengths)});
  return spec;
}

struct Rig {
  explicit Rig(float factor = 1, ModelSpec shadow_spec = Usual(2), ShadowRules rules = {},
               ModelSpec primary_spec = Usual(1)) {
    shadow_script.factor = factor;
    StartOptions options;
    options.spec = std::move(primary_spec);
    CHECK(primary.Start(options, 0, 0, 1).ok());
    options.spec = std::move(shadow_spec);
    CHECK(shadow.Start(options, 0, 0, 1).ok());
    // Here a sample waits for the lock, so that what becomes of each is known.
    rules.limits.lock_tries = 1 << 30;
    CHECK(ShadowLink::Open(primary.spec(), &shadow, std::move(rules), &link).ok());
  }
  ~Rig() {
    shadow_script.hangs = false;
    CHECK(link->Close(kPatience));
    shadow.WaitUntilIdle();
  }

  // One request through the primary with the shadow beside; its reply.
  std::string Ask(float a, float b) {
    Request request;
    const float values[] = {a, b};
    request.tensors.Append(values, sizeof(values));
    RequestInput input;
    input.bytes = request.tensors.data();
    input.byte_count = sizeof(values);
    input.elements = 2;
    input.dims.Push(2);
    request.inputs.push_back(input);
    request.rows = 1;
    request.part_rows = 1;
    if (primary.spec().has_padding()) CHECK(PadRequest(primary.spec(), &request).ok());
    request.wanted_outputs = 1;
    request.tap = link;
    Batch batch;
    batch.requests.push_back(&request);
    batch.rows = 1;
    RunBatch(&primary, &batch, 0);
    CHECK(request.code == Code::kOk);
    return std::string(reinterpret_cast<const char*>(request.reply.data()), request.reply.size());
  }
  void WaitFor(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!condition() && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(condition());
  }
  int64_t dropped(ShadowDrop reason) const {
    return link->totals().dropped[static_cast<size_t>(reason)].load();
  }

  Script primary_script, shadow_script;
  ModelVersion primary{std::make_unique<ScriptedRunner>(&primary_script)};
  ModelVersion shadow{std::make_unique<ScriptedRunner>(&shadow_script)};
  std::shared_ptr<ShadowLink> link;
};

TEST("shadow: a doubled answer is measured, counted and kept with both bodies") {
  Rig rig(2);
  const std::string reply = rig.Ask(1, -4);
  rig.WaitFor([&] { return rig.link->totals().compared.Get() == 1; });
  const ShadowTotals& totals = rig.link->totals();
  CHECK_EQ(totals.answered.load(), 1);
  CHECK_EQ(totals.apart.Get(), 1);
  CHECK_EQ(totals.by_output[0]->max_absolute.Get(), 4.0);
  CHECK_EQ(totals.by_output[0]->max_relative.Get(), 0.5);
  CHECK_EQ(totals.by_output[0]->elements_apart.Get(), 2);
  CHECK_EQ(totals.by_output[0]->absolute.counts[10].Get(), 1);
  CHECK_EQ(totals.by_output[0]->top1_agreed.Get(), 1);
  rig.WaitFor([&] { return rig.link->store()->Read().size() == 1; });
  const Mismatch kept = rig.link->store()->Read()[0];
  CHECK_EQ(kept.number, 1);
  const std::string head =
      "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[1,2],\"parameters\":{\"binary_data_"
      "size\":8}}],"
      "\"parameters\":{\"binary_data_output\":true}}";
  CHECK_EQ(kept.request.bytes.substr(0, kept.request.head_length), head);
  const auto floats = [](const V2Body& body) {
    std::vector<float> values(2);
    CHECK_EQ(body.bytes.size() - body.head_length, sizeof(float) * 2);
    std::memcpy(values.data(), body.bytes.data() + body.head_length, sizeof(float) * 2);
    return values;
  };
  CHECK(floats(kept.request) == std::vector<float>({1, -4}));
  CHECK(floats(kept.primary) == std::vector<float>({1, -4}));
  CHECK(floats(kept.shadow) == std::vector<float>({2, -8}));
}

TEST("shadow: each of the two has padding rules of its own, or none") {
  const std::vector<std::vector<int64_t>> rules = {{}, {4}, {3, 8}};
  for (const auto& of_primary : rules) {
    for (const auto& of_shadow : rules) {
      Rig rig(2, AnyLength(2, of_shadow), {}, AnyLength(1, of_primary));
      rig.Ask(1, -4);
      rig.WaitFor([&] { return rig.link->totals().compared.Get() == 1; });
      CHECK_EQ(rig.link->totals().by_output[0]->elements.Get(), 2);
      CHECK_EQ(rig.link->totals().by_output[0]->elements_apart.Get(), 2);
      rig.WaitFor([&] { return rig.link->store()->Read().size() == 1; });
      const V2Body kept = rig.link->store()->Read()[0].request;
      CHECK(kept.bytes.find("\"shape\":[1,2],\"parameters\":{\"binary_data_size\":8}") != std::string::npos);
    }
  }
}

TEST("shadow: a request that is longer than the shadow's rules allow is skipped") {
  Rig rig(1, AnyLength(2, {1}), {}, AnyLength(1, {4}));
  rig.Ask(1, -4);
  rig.WaitFor(
      [&] { return rig.link->totals().skipped[static_cast<size_t>(ShadowSkip::kInputShape)].Get() == 1; });
  CHECK_EQ(rig.link->totals().compared.Get(), 0);
}

TEST("shadow: an equal version never differs, and the reply is that of a request without a shadow") {
  Rig rig;
  const std::string with = rig.Ask(3, 5);
  for (int i = 0; i < 200; ++i) {
    rig.Ask(static_cast<float>(i), -1);
    rig.WaitFor([&] { return rig.link->queue().waiting() < 100; });
  }
  rig.WaitFor([&] { return rig.link->totals().compared.Get() == 201; });
  CHECK_EQ(rig.link->totals().apart.Get(), 0);
  CHECK(rig.link->store()->Read().empty());
  std::shared_ptr<ShadowLink> none;
  std::swap(none, rig.link);
  CHECK_EQ(rig.Ask(3, 5), with);
  std::swap(none, rig.link);
}

TEST("shadow: one that hangs fills its queue and no more, and loses nothing of the primary") {
  ShadowRules rules;
  rules.limits.pairs = 3;
  Rig rig(1, Usual(2), rules);
  rig.shadow_script.hangs = true;
  const std::string first = rig.Ask(1, 2);
  rig.WaitFor([&] { return rig.shadow_script.runs > 0 && rig.link->queue().waiting() == 0; });
  for (int i = 0; i < 10; ++i) CHECK_EQ(rig.Ask(1, 2), first);
  // Three pairs exist: one runs, two wait.
  CHECK_EQ(rig.link->queue().waiting(), size_t{2});
  CHECK_EQ(rig.dropped(ShadowDrop::kQueueFull), 8);
  CHECK(!rig.link->Close(std::chrono::milliseconds(1)));
  CHECK_EQ(rig.dropped(ShadowDrop::kClosed), 2);
  CHECK_EQ(rig.Ask(1, 2), first);
  CHECK_EQ(rig.dropped(ShadowDrop::kClosed), 3);
  CHECK_EQ(rig.shadow.in_flight(), 0);
}

TEST("shadow: bytes that wait are bounded") {
  ShadowRules rules;
  rules.limits.bytes = 40;  // each pair: 8 bytes of input, 8 of output
  Rig rig(1, Usual(2), rules);
  rig.shadow_script.hangs = true;
  for (int i = 0; i < 6; ++i) rig.Ask(1, 2);
  CHECK_EQ(rig.link->queue().waiting_bytes(), size_t{32});
  CHECK_EQ(rig.dropped(ShadowDrop::kBytesFull), 4);
}

// Waiting for a full run takes longer here than the test has patience for.
TEST("shadow: half of the pairs, half of the bytes and the end of the shadow are not waited for") {
  const auto nap = std::chrono::hours(1);
  const auto all_compared = [](ShadowLimits limits, int requests) {
    ShadowRules rules;
    rules.limits = limits;
    Rig rig(1, Usual(2), rules);
    for (int i = 0; i < requests; ++i) rig.Ask(1, 2);
    rig.WaitFor([&] { return rig.link->totals().compared.Get() == requests; });
  };
  ShadowLimits limits;
  limits.nap = nap;
  limits.pairs = 6;
  all_compared(limits, 3);
  limits.pairs = 256;
  limits.bytes = 63;  // each pair: 8 bytes of input, 8 of output
  all_compared(limits, 2);
  limits.pairs = 1;
  all_compared(limits, 1);
  all_compared(limits, 0);
}

TEST("shadow: it rests for eight times as long as it was kept from its core, and not for long") {
  CHECK_EQ(RestAfter(0).count(), int64_t{0});
  CHECK_EQ(RestAfter(12'499).count(), int64_t{0});  // under 0.1 ms it is not worth a timer
  CHECK_EQ(RestAfter(12'500).count(), int64_t{100'000});
  CHECK_EQ(RestAfter(3'000'000).count(), int64_t{24'000'000});
  CHECK_EQ(RestAfter(60'000'000'000).count(), int64_t{100'000'000});
}

TEST("shadow: its end is the end of a rest") {
  ShadowQueue queue(ShadowLimits{});
  std::thread resting([&queue] { queue.Rest(std::chrono::hours(1)); });
  queue.Close();
  resting.join();
}

TEST("shadow: a failing run is counted and the next one still compared") {
  Rig rig;
  rig.shadow_script.throws = true;
  const std::string reply = rig.Ask(1, 2);
  const auto& failed = rig.link->totals().skipped[static_cast<size_t>(ShadowSkip::kRunFailed)];
  rig.WaitFor([&] { return failed.Get() == 1; });
  rig.shadow_script.throws = false;
  CHECK_EQ(rig.Ask(1, 2), reply);
  rig.WaitFor([&] { return rig.link->totals().compared.Get() == 1; });
  CHECK_EQ(rig.shadow.LastFailure(), std::string("as told"));
}

TEST("shadow: an output that it lacks is one of another shape") {
  Rig rig(1, Spec(2, {Tensor("X", DataType::kFp32, {2})}, {Tensor("Z", DataType::kFp32, {2})}));
  rig.Ask(1, 2);
  rig.WaitFor([&] { return rig.link->totals().compared.Get() == 1; });
  CHECK_EQ(rig.link->totals().by_output[0]->other_shape.Get(), 1);
  CHECK_EQ(rig.link->totals().apart.Get(), 1);
}

// Wherever an output begins: a sanitizer sees a float that is read where no float may lie.
TEST("shadow: outputs of different widths are compared each where its elements may lie") {
  Rig rig(1, Usual(2), {},
          Spec(1, {Tensor("X", DataType::kFp32, {2})},
               {Tensor("B", DataType::kUint8, {3}), Tensor("Y", DataType::kFp32, {2})}));
  Request request;
  const float x[] = {1, 2};
  request.tensors.Append(x, sizeof(x));
  RequestInput input;
  input.bytes = request.tensors.data();
  input.byte_count = sizeof(x);
  input.elements = 2;
  input.dims.Push(2);
  request.inputs.push_back(input);
  request.rows = 1;
  const uint8_t b[] = {1, 2, 3};
  const float y[] = {1, 3};
  std::vector<OutputRows> outputs(2);
  outputs[0] = {{}, b, sizeof(b), 3};
  outputs[1] = {{}, reinterpret_cast<const uint8_t*>(y), sizeof(y), 2};
  for (OutputRows& output : outputs) {
    output.dims.Push(1);
    output.dims.Push(output.elements);
  }
  rig.link->Answered(&request, outputs, 1);
  rig.WaitFor([&] { return rig.link->totals().compared.Get() == 1; });
  CHECK_EQ(rig.link->totals().by_output[1]->elements_apart.Get(), 1);
  CHECK_EQ(rig.link->totals().by_output[1]->max_absolute.Get(), 1.0);
}

TEST("shadow: a version that cannot take the primary's requests is refused with what differs") {
  const ModelSpec primary = Usual(1);
  SignatureMatch match;
  const auto refusal = [&](ModelSpec shadow) { return MatchSignatures(primary, shadow, &match).message(); };
  CHECK_EQ(
      refusal(Spec(2, {Tensor("W", DataType::kFp32, {2})}, {})),
      "expected a shadow that takes the requests of model \"m\" version 1, model \"m\" version 2 wants an "
      "input \"W\" that they do not have");
  CHECK_EQ(
      refusal(Spec(2, {Tensor("X", DataType::kFp32, {3})}, {})),
      "expected FP32 [2] for input \"X\" of a shadow of model \"m\" version 1, model \"m\" version 2 takes "
      "FP32 [3]");
  CHECK(!refusal(Spec(2, {Tensor("X", DataType::kInt32, {2})}, {})).empty());
  ModelSpec unbatched = Usual(2);
  unbatched.max_batch_rows = 0;
  CHECK(!refusal(unbatched).empty());
  CHECK(refusal(Spec(2, {Tensor("X", DataType::kFp32, {-1})}, {})).empty());
  // A dimension that varies for the primary is looked at request by request.
  RequestInput input;
  input.dims.Push(5);
  CHECK(FitsInputs(Spec(2, {Tensor("X", DataType::kFp32, {-1})}, {}), {input}));
  CHECK(!FitsInputs(primary, {input}));
}

TEST("shadow: the store keeps the worst, the worst first") {
  MismatchStore store;
  for (int i = 1; i <= 40; ++i) {
    Mismatch mismatch;
    mismatch.excess = i % 2 == 0 ? i : -i;
    if (store.Wants(mismatch.excess)) store.Put(std::move(mismatch));
  }
  const std::vector<Mismatch> kept = store.Read();
  CHECK_EQ(kept.size(), MismatchStore::kMost);
  CHECK_EQ(kept.front().excess, 40.0);
  CHECK_EQ(kept.back().excess, 10.0);
}

TEST("shadow: differences fall into decades, none and endless apart") {
  CHECK_EQ(DifferenceHistogram::BucketOf(0), 0);
  CHECK_EQ(DifferenceHistogram::BucketOf(1e-9), 1);
  CHECK_EQ(DifferenceHistogram::BucketOf(1e-3), 6);
  CHECK_EQ(DifferenceHistogram::BucketOf(0.0011), 7);
  CHECK_EQ(DifferenceHistogram::BucketOf(1e9), DifferenceHistogram::kBuckets - 1);
}

}  // namespace
}  // namespace sluice
