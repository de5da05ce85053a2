#include "faulty_runner.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "run/load_runner.h"
#include "run/ort_model.h"

namespace sluice {

namespace {

// A "hung" run must still end some day, or the test's process could not.
constexpr float kLongestMs = 120'000;

// SLUICE_FAULTY_VERSION, where it is set, names the only version that misbehaves: the same bytes then reach a
// sound primary and a faulty shadow.
bool IsFaulty(const ModelSpec& spec) {
  const char* only = std::getenv("SLUICE_FAULTY_VERSION");
  return only == nullptr || *only == '\0' || spec.display.ends_with(std::string(" version ") + only);
}

class FaultySlot : public RunSlot {
 public:
  FaultySlot(std::unique_ptr<RunSlot> inner, const ModelSpec& spec) : inner_(std::move(inner)), spec_(spec) {
    marks_ = !spec.inputs.empty() && spec.inputs[0].type == DataType::kFp32 && IsFaulty(spec);
  }

  // Throws on purpose, against the contract of RunSlot.
  Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) override {
    nan_rows_.clear();
    bool wants_fewer_rows = false, wants_no_rank = false;
    for (int64_t row = 0; marks_ && row < rows; ++row) {
      float argument = 0;
      switch (FaultOf(inputs[0], row, rows, &argument)) {
        case Fault::kNone:
          break;
        case Fault::kThrow:
          throw std::runtime_error("a fault was asked for: throw");
        case Fault::kFail:
          return Status(Code::kRunFailed, "a fault was asked for: fail");
        case Fault::kOutOfMemory:
          throw std::bad_alloc();
        case Fault::kSlow:
          std::this_thread::sleep_for(
              std::chrono::duration<float, std::milli>(std::fmin(argument, kLongestMs)));
          break;
        case Fault::kWrongRows:
          wants_fewer_rows = true;
          break;
        case Fault::kNan:
          nan_rows_.push_back(row);
          break;
        case Fault::kGarbledRank:
          wants_no_rank = true;
          break;
      }
    }
    if (Status status = inner_->Run(inputs, rows, outputs); !status.ok()) return status;
    for (size_t i = 0; i < outputs->size(); ++i) Garble(i, rows, wants_fewer_rows, wants_no_rank, outputs);
    return Status();
  }

  void Release() override { inner_->Release(); }

 private:
  Fault FaultOf(const RunTensor& input, int64_t row, int64_t rows, float* argument) const {
    const size_t row_bytes = input.byte_count / static_cast<size_t>(rows);
    if (row_bytes < sizeof(float)) return Fault::kNone;
    const uint8_t* at = input.bytes + static_cast<size_t>(row) * row_bytes;
    float mark = 0;
    std::memcpy(&mark, at, sizeof(mark));
    if (row_bytes >= 2 * sizeof(float)) std::memcpy(argument, at + sizeof(mark), sizeof(*argument));
    const bool is_fault = mark <= -1001 && mark >= -1007 && mark == std::floor(mark);
    return is_fault ? static_cast<Fault>(static_cast<int>(mark)) : Fault::kNone;
  }

  void Garble(size_t index, int64_t rows, bool wants_fewer_rows, bool wants_no_rank,
              std::vector<RunTensor>* outputs) {
    RunTensor& output = (*outputs)[index];
    if (!nan_rows_.empty() && spec_.outputs[index].type == DataType::kFp32) {
      // The real bytes may be memory that ONNX Runtime keeps for the next run.
      garbled_.resize(outputs->size());
      garbled_[index].assign(output.bytes, output.bytes + output.byte_count);
      const size_t row_bytes = output.byte_count / static_cast<size_t>(rows);
      const float nan = std::numeric_limits<float>::quiet_NaN();
      for (const int64_t row : nan_rows_) {
        for (size_t at = 0; at + sizeof(nan) <= row_bytes; at += sizeof(nan)) {
          std::memcpy(garbled_[index].data() + static_cast<size_t>(row) * row_bytes + at, &nan, sizeof(nan));
        }
      }
      output.bytes = garbled_[index].data();
    }
    if (wants_fewer_rows && output.dims.rank > 0) output.dims.at[0] = rows - 1;
    if (wants_no_rank) output.dims.Clear();
  }

  const std::unique_ptr<RunSlot> inner_;
  const ModelSpec& spec_;
  bool marks_ = false;
  std::vector<int64_t> nan_rows_;
  std::vector<std::vector<uint8_t>> garbled_;
};

}  // namespace

std::unique_ptr<RunSlot> FaultyRunner::NewSlot(const ModelSpec& spec) {
  return std::make_unique<FaultySlot>(inner_->NewSlot(spec), spec);
}

Status LoadRunner(const Ort& ort, const SessionOptions& options, std::unique_ptr<Runner>* runner) {
  std::unique_ptr<OrtModel> model;
  if (Status status = OrtModel::Load(ort, options, &model); !status.ok()) return status;
  *runner = std::make_unique<FaultyRunner>(std::move(model));
  return Status();
}

}  // namespace sluice
