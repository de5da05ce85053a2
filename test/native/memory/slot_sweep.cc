// Runs on a slot of ONNX Runtime where one allocation fails, over a runtime of our own that counts its
// values: none is lost, and afterwards the same slot still runs rightly. Its values are not among the
// allocations that fail.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "check.h"
#include "frames.h"
#include "memory/failing_memory.h"
#include "run/ort_slot.h"
#include "specs.h"

namespace sluice::test {
namespace {

constexpr size_t kMostText = 64;

// A tensor of floats over the memory of others, or of strings that it owns.
struct FakeValue {
  Dims dims;
  bool is_text = false;
  void* bytes = nullptr;
  char text[kMostText];
  size_t length = 0;
};

int64_t live_values = 0;
float fresh_output[16];

FakeValue* Of(const OrtValue* value) { return reinterpret_cast<FakeValue*>(const_cast<OrtValue*>(value)); }

OrtValue* NewValue(const int64_t* shape, size_t rank, void* bytes, bool is_text) {
  auto* value = static_cast<FakeValue*>(std::calloc(1, sizeof(FakeValue)));
  for (size_t i = 0; i < rank; ++i) value->dims.Push(shape[i]);
  value->bytes = bytes;
  value->is_text = is_text;
  ++live_values;
  return reinterpret_cast<OrtValue*>(value);
}

// The output is the input twice: the first float of each row, or the first string.
OrtStatus* FakeRun(OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const* inputs,
                   size_t, const char* const*, size_t, OrtValue** outputs) noexcept {
  const FakeValue* input = Of(inputs[0]);
  const int64_t shape[] = {input->dims.at[0], 2};
  if (outputs[0] == nullptr) outputs[0] = NewValue(shape, 2, fresh_output, input->is_text);
  FakeValue* output = Of(outputs[0]);
  if (input->is_text) {
    std::memcpy(output->text, input->text, input->length);
    output->length = input->length;
    return nullptr;
  }
  for (int64_t row = 0; row < shape[0]; ++row) {
    const float x = static_cast<const float*>(input->bytes)[row * 2];
    static_cast<float*>(output->bytes)[row * 2] = static_cast<float*>(output->bytes)[row * 2 + 1] = 2 * x;
  }
  return nullptr;
}

// Everything that a slot calls.
OrtApi MakeApi() {
  OrtApi api{};
  api.Run = FakeRun;
  api.ReleaseValue = [](OrtValue* value) noexcept {
    std::free(value);
    --live_values;
  };
  api.CreateTensorWithDataAsOrtValue = [](const OrtMemoryInfo*, void* bytes, size_t, const int64_t* shape,
                                          size_t rank, ONNXTensorElementDataType, OrtValue** value) noexcept {
    *value = NewValue(shape, rank, bytes, false);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetAllocatorWithDefaultOptions = [](OrtAllocator**) noexcept {
    return static_cast<OrtStatus*>(nullptr);
  };
  api.CreateTensorAsOrtValue = [](OrtAllocator*, const int64_t* shape, size_t rank, ONNXTensorElementDataType,
                                  OrtValue** value) noexcept {
    *value = NewValue(shape, rank, nullptr, true);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetResizedStringTensorElementBuffer = [](OrtValue* value, size_t, size_t length, char** room) noexcept {
    Of(value)->length = length;
    *room = Of(value)->text;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetTensorTypeAndShape = [](const OrtValue* value, OrtTensorTypeAndShapeInfo** info) noexcept {
    *info = reinterpret_cast<OrtTensorTypeAndShapeInfo*>(const_cast<OrtValue*>(value));
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ReleaseTensorTypeAndShapeInfo = [](OrtTensorTypeAndShapeInfo*) noexcept {};
  api.GetDimensionsCount = [](const OrtTensorTypeAndShapeInfo* info, size_t* rank) noexcept {
    *rank = static_cast<size_t>(Of(reinterpret_cast<const OrtValue*>(info))->dims.rank);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetDimensions = [](const OrtTensorTypeAndShapeInfo* info, int64_t* dims, size_t rank) noexcept {
    std::memcpy(dims, Of(reinterpret_cast<const OrtValue*>(info))->dims.at, rank * sizeof(int64_t));
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetTensorMutableData = [](OrtValue* value, void** bytes) noexcept {
    *bytes = Of(value)->bytes;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetStringTensorElementLength = [](const OrtValue* value, size_t, size_t* length) noexcept {
    *length = Of(value)->length;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetStringTensorElement = [](const OrtValue* value, size_t length, size_t, void* text) noexcept {
    std::memcpy(text, Of(value)->text, length);
    return static_cast<OrtStatus*>(nullptr);
  };
  return api;
}

RunTensor InputOf(const ModelSpec& spec, int64_t rows, const std::vector<uint8_t>& bytes) {
  RunTensor input;
  input.dims.Push(rows);
  for (const int64_t dim : spec.inputs[0].model_dims) input.dims.Push(dim < 0 ? 2 : dim);
  input.elements = rows * (spec.inputs[0].type == DataType::kBytes ? 1 : 2);
  input.bytes = bytes.data();
  input.byte_count = bytes.size();
  return input;
}

// Runs one row in two places and two rows in one, then all of that again with all the memory there is.
std::string Round(const Ort& ort, const ModelSpec& spec, const std::vector<std::vector<uint8_t>>& one_row,
                  const std::vector<uint8_t>& two_rows) {
  std::string wrong;
  const int64_t values_before = live_values;
  {
    std::unique_ptr<OrtSlot> slot;
    for (const bool is_failing : {true, false}) {
      if (!is_failing) StopFailing();
      const auto run = [&](int64_t rows, const std::vector<uint8_t>& bytes) {
        try {
          if (slot == nullptr) slot = std::make_unique<OrtSlot>(ort, nullptr, spec);
          std::vector<RunTensor> outputs;
          if (!slot->Run({InputOf(spec, rows, bytes)}, rows, &outputs).ok())
            wrong = "a run failed";
          else if (spec.inputs[0].type == DataType::kBytes
                       ? std::memcmp(outputs[0].bytes, bytes.data(), bytes.size()) != 0
                       : *reinterpret_cast<const float*>(outputs[0].bytes) !=
                             2 * *reinterpret_cast<const float*>(bytes.data()))
            wrong = "a wrong answer";
        } catch (const std::bad_alloc&) {
          if (!is_failing) wrong = "a failure that did not end";
        }
      };
      run(1, one_row[0]);
      run(1, one_row[1]);
      if (!two_rows.empty()) run(2, two_rows);
    }
  }
  if (live_values != values_before)
    wrong = std::to_string(live_values - values_before) + " values left behind";
  return wrong;
}

void Sweep(const ModelSpec& spec, const std::vector<std::vector<uint8_t>>& one_row,
           const std::vector<uint8_t>& two_rows) {
  static const OrtApi api = MakeApi();
  static const Ort ort = [] {
    Ort made;
    made.api = &api;
    return made;
  }();
  int64_t rounds = 0;
  const auto round = [&] { return Round(ort, spec, one_row, two_rows); };
  CHECK_EQ(SweepAllocations(round, &rounds), "");
  CHECK(rounds > 5);
}

TEST("a slot that keeps its values loses none whichever allocation fails") {
  const auto row = [](float x) { return BytesOf(std::vector<float>{x, 0}); };
  Sweep(OneInput(DataType::kFp32, {2}), {row(1), row(2)}, BytesOf(std::vector<float>{3, 0, 4, 0}));
}

TEST("a slot that makes its values for each run loses none whichever allocation fails") {
  const auto row = [](float x) { return BytesOf(std::vector<float>{x, 0}); };
  Sweep(OneInput(DataType::kFp32, {-1}), {row(1), row(2)}, BytesOf(std::vector<float>{3, 0, 4, 0}));
}

TEST("a slot of strings loses no value whichever allocation fails") {
  const auto text = [](const std::string& text) {
    std::vector<uint8_t> bytes = {static_cast<uint8_t>(text.size()), 0, 0, 0};
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
  };
  const ModelSpec spec = Model({Tensor("x", DataType::kBytes, {1})}, {Tensor("y", DataType::kBytes, {1})});
  Sweep(spec, {text("a text that is longer than a short one"), text("another of about that length")}, {});
}

}  // namespace
}  // namespace sluice::test
