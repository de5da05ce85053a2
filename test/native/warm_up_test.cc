// What warm-up measures, with runs and a clock that are scripted.
#include "run/warm_up.h"

#include "check.h"
#include "specs.h"

namespace sluice {
namespace {

constexpr int64_t kUs = 1'000;

// Time of the script, in which nothing passes but what a run takes.
int64_t script_ns = 0;
int64_t ScriptNs() { return script_ns; }

// A run costs 100 us and 10 us a row; every other one is disturbed, and so is the first of each size.
struct ScriptedSlot : RunSlot {
  Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>*) override {
    CHECK_EQ(inputs[0].dims.at[0], rows);
    ++runs;
    if (rows == fails_at) return Status(Code::kRunFailed, "no zeros");
    const bool is_disturbed = rows != latest_rows || runs % 2 == 0;
    latest_rows = rows;
    script_ns += (100 + 10 * rows) * kUs * (is_disturbed ? 7 : 1);
    return Status();
  }
  void Release() override {}

  int64_t fails_at = 0;
  int64_t latest_rows = 0;
  int runs = 0;
};

TEST("warm-up keeps the best run of each size, by the clock that it is given") {
  const ModelSpec spec = test::Model({test::Tensor("X", DataType::kFp32, {2})}, {}, 24);
  BatchInput input(spec);
  ScriptedSlot slot;
  const CostTable table = WarmUp(spec, &slot, &input, {60'000'000'000, 0}, ScriptNs)[0];
  const std::vector<CostPoint> points = table.points();
  CHECK_EQ(points.size(), size_t{6});
  const int64_t sizes[] = {1, 2, 4, 8, 16, 24};
  for (size_t i = 0; i < points.size() && i < 6; ++i) {
    CHECK_EQ(points[i].rows, sizes[i]);
    CHECK_EQ(points[i].run_ns, (100 + 10 * sizes[i]) * kUs);
  }
}

TEST("a model that refuses zeros from some size on keeps what was measured before") {
  const ModelSpec spec = test::Model({test::Tensor("X", DataType::kFp32, {2})}, {}, 24);
  BatchInput input(spec);
  ScriptedSlot slot;
  slot.fails_at = 4;
  CHECK_EQ(WarmUp(spec, &slot, &input, {60'000'000'000, 0}, ScriptNs)[0].points().size(), size_t{2});
}

TEST("warm-up makes no larger batch than it may, nor takes the memory of one") {
  const ModelSpec spec = test::Model({test::Tensor("X", DataType::kFp32, {1 << 20})}, {}, 1 << 20);
  BatchInput input(spec);
  ScriptedSlot slot;
  const std::vector<CostPoint> points =
      WarmUp(spec, &slot, &input, {60'000'000'000, 3}, ScriptNs)[0].points();
  CHECK_EQ(points.size(), size_t{3});
  CHECK_EQ(points.back().rows, 3);
  CHECK(input.KeptBytes() < size_t{3} * 2 * (4 << 20));
}

}  // namespace
}  // namespace sluice
