// What becomes of a batch whose run fails, with a runner that does as it is told.
#include "engine/run_batch.h"

#include "base/clock.h"
#include "check.h"
#include "specs.h"

namespace sluice {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;

// Fails whenever there is more than one row.
struct LonelySlot : RunSlot {
  explicit LonelySlot(int* runs) : runs(runs) {}
  Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) override {
    ++*runs;
    if (rows > 1) return Status(Code::kRunFailed, "company");
    outputs->assign(1, inputs[0]);
    return Status();
  }
  void Release() override {}

  int* const runs;
};

struct LonelyRunner : Runner {
  explicit LonelyRunner(int* runs) : runs(runs) {}
  const ModelSignature& signature() const override { return nothing; }
  std::unique_ptr<RunSlot> NewSlot(const ModelSpec&) override { return std::make_unique<LonelySlot>(runs); }

  int* const runs;
  ModelSignature nothing;
};

TEST("what a failed batch leaves is not run again for callers that are gone or too late") {
  int runs = 0;
  ModelVersion version(std::make_unique<LonelyRunner>(&runs));
  StartOptions options;
  options.spec =
      test::Model({test::Tensor("x", DataType::kFp32, {2})}, {test::Tensor("y", DataType::kFp32, {2})});
  CHECK(version.Start(options, 0, 0, 1).ok());
  runs = 0;

  Request gone, late, fine;
  Batch batch;
  for (Request* request : {&gone, &late, &fine}) {
    const float values[] = {1, 2};
    request->tensors.Append(values, sizeof(values));
    RequestInput input;
    input.bytes = request->tensors.data();
    input.byte_count = sizeof(values);
    input.elements = 2;
    input.dims.Push(2);
    request->inputs.push_back(input);
    request->rows = request->part_rows = 1;
    request->wanted_outputs = 1;
    request->deadline_ns = NowNs() + kHourNs;
    request->version = &version;
    batch.requests.push_back(request);
  }
  batch.rows = 3;
  gone.is_cancelled.store(true);
  late.deadline_ns = 1;
  RunBatch(&version, &batch, NowNs());
  CHECK_EQ(runs, 2);
  CHECK(gone.code == Code::kCancelled);
  CHECK(late.code == Code::kDeadlinePassed);
  CHECK(fine.code == Code::kOk);
}

}  // namespace
}  // namespace sluice
