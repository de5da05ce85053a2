// FaultyRunner: ONNX Runtime with a wrapper that misbehaves when a row asks for it, so that tests of the
// whole server can put faults into chosen requests and know the right answer of all others. Linked into an
// addon of its own (sluice_faulty), never into the real one. Runs on whatever thread runs the batch.
#pragma once

#include <memory>
#include <vector>

#include "run/runner.h"

namespace sluice {

// A row asks by the first element of the first input, where that is FP32; the second element is an argument.
enum class Fault : int {
  kNone = 0,
  kThrow = -1001,        // an exception leaves the runner
  kFail = -1002,         // a failed run
  kOutOfMemory = -1003,  // std::bad_alloc
  kSlow = -1004,         // the run takes as many milliseconds longer as the argument says
  kWrongRows = -1005,    // every output has one row less than it should
  kNan = -1006,          // the row's outputs are NaN
  kGarbledRank = -1007,  // outputs without a batch dimension
};

class FaultyRunner : public Runner {
 public:
  explicit FaultyRunner(std::unique_ptr<Runner> inner) : inner_(std::move(inner)) {}

  const ModelSignature& signature() const override { return inner_->signature(); }
  std::unique_ptr<RunSlot> NewSlot(const ModelSpec& spec) override;

 private:
  const std::unique_ptr<Runner> inner_;
};

}  // namespace sluice
