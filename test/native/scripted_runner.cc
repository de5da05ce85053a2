#include "scripted_runner.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "run/load_runner.h"
#include "run/open_ort.h"

namespace sluice {

namespace {

constexpr auto kStep = std::chrono::milliseconds(3);

class ScriptedSlot : public RunSlot {
 public:
  ScriptedSlot(bool is_other, bool is_padded) : is_other_(is_other), is_padded_(is_padded) {}

  Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) override {
    const RunTensor& x = inputs[0];
    if (is_padded_) std::this_thread::sleep_for(kStep * (x.dims.at[1] > kWidth ? rows : 1));
    y_.resize(static_cast<size_t>(x.elements));
    Status status;
    for (int64_t row = 0; row < rows; ++row) {
      float mark = 0;
      std::memcpy(&mark, x.bytes + (row * kWidth + 1) * 4, sizeof(mark));
      const auto mood = static_cast<Mood>(static_cast<int>(mark));
      if (mood == kThrows || (mood == kThrowsElsewhere && is_other_)) throw std::runtime_error("asked for");
      if (mood == kNoMemory) throw std::bad_alloc();
      if (mood == kFails) status = Status(Code::kRunFailed, "asked for");
      if (mood == kDawdles) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
    if (!status.ok()) return status;
    for (size_t i = 0; i < y_.size(); ++i) {
      float value = 0;
      std::memcpy(&value, x.bytes + i * 4, sizeof(value));
      y_[i] = 2 * value + (is_other_ ? 2.0F : 1.0F);
    }
    outputs->resize(1);
    (*outputs)[0].dims = x.dims;
    (*outputs)[0].elements = x.elements;
    (*outputs)[0].bytes = reinterpret_cast<const uint8_t*>(y_.data());
    (*outputs)[0].byte_count = y_.size() * sizeof(float);
    return Status();
  }
  void Release() override {}

 private:
  const bool is_other_;
  const bool is_padded_;
  std::vector<float> y_;
};

class ScriptedRunner : public Runner {
 public:
  explicit ScriptedRunner(bool is_other) : is_other_(is_other) {
    signature_.inputs = {{"X", DataType::kFp32, {-1, kWidth}}};
    signature_.outputs = {{"Y", DataType::kFp32, {-1, kWidth}}};
  }
  const ModelSignature& signature() const override { return signature_; }
  std::unique_ptr<RunSlot> NewSlot(const ModelSpec& spec) override {
    return std::make_unique<ScriptedSlot>(is_other_, spec.has_padding());
  }

 private:
  const bool is_other_;
  ModelSignature signature_;
};

TensorSpec Tensor(const char* name) {
  TensorSpec tensor;
  tensor.name = name;
  tensor.type = DataType::kFp32;
  tensor.dims = {kWidth};
  tensor.model_dims = {kWidth};
  tensor.row_elements = kWidth;
  tensor.reply_prefix = std::string("{\"name\":\"") + name + "\",\"datatype\":\"FP32\",\"shape\":[";
  return tensor;
}

}  // namespace

ModelSpec ScriptedSpec(uint64_t serial) {
  ModelSpec spec;
  spec.serial = serial;
  spec.name = "scripted";
  spec.version = "1";
  spec.display = "model \"scripted\" version 1";
  spec.reply_prefix = "\"model_name\":\"scripted\",\"model_version\":\"1\"";
  spec.max_batch_rows = 16;
  spec.inputs = {Tensor("X")};
  spec.outputs = {Tensor("Y")};
  return spec;
}

ModelSpec PaddedSpec(uint64_t serial) {
  ModelSpec spec = ScriptedSpec(serial);
  for (std::vector<TensorSpec>* tensors : {&spec.inputs, &spec.outputs}) {
    TensorSpec& tensor = (*tensors)[0];
    tensor.dims = tensor.model_dims = {-1};
    tensor.row_elements = -1;
  }
  spec.inputs[0].pad_rule = 0;
  spec.outputs[0].follows = {0};
  spec.padding.push_back({{0}, kNoTensor, {kWidth, kLongWidth}});
  return spec;
}

// The linker takes these and leaves the library's own out.
Status OpenOrt(const std::string&, const Ort** ort) {
  static const Ort nothing;
  *ort = &nothing;
  return Status();
}
Status LoadRunner(const Ort&, const SessionOptions& options, std::unique_ptr<Runner>* runner) {
  *runner = std::make_unique<ScriptedRunner>(options.path == kOtherPath);
  return Status();
}

}  // namespace sluice
