// What an event loop runs itself, over the scripted runner.
#include "check.h"
#include "engine/engine.h"
#include "memory/life.h"

namespace sluice {
namespace {

using namespace test;

int64_t MostRows(const ModelVersion& version) {
  int64_t most = 0;
  version.stats.VisitBatchSizes([&](int64_t rows, const BatchSizeStats&) { most = rows; });
  return most;
}

TEST("a loop fills the batches of a padded model to the knee of the length that they have") {
  const std::string wrong = Life([](Engine* engine, HandLoop* loop) -> std::string {
    uint32_t handle = 0;
    StartOptions options;
    options.spec = PaddedSpec(1);
    options.execution = Execution::kInline;
    CHECK(OnLoader(engine, loop, [&] { return engine->Open({}, &handle); }) == Code::kOk);
    CHECK(OnLoader(engine, loop, [&] { return engine->Start(handle, options); }) == Code::kOk);
    ModelVersion* version = engine->Version(handle);

    int answers = 0;
    const auto ask = [&](int width, int count) {
      for (int i = 0; i < count; ++i)
        CHECK(loop->Submit(handle, ScriptedBody(std::vector<float>(width, 0), width)) != nullptr);
      loop->Flush();
      loop->Deliver([&](const Request& request) { answers += CodeOf(request) == Code::kOk ? 1 : 0; });
    };
    const auto wait = [&](int expected) {
      while (answers < expected) {
        loop->Wait();
        loop->Deliver([&](const Request& request) { answers += CodeOf(request) == Code::kOk ? 1 : 0; });
      }
    };
    const Request* seen = loop->Submit(handle, ScriptedBody(std::vector<float>(kLongWidth, 0), kLongWidth));
    const int64_t long_rows = version->LimitRows(seen->shape_key);
    CHECK(long_rows < version->limit_rows());
    ask(kLongWidth, 15);
    wait(16);
    CHECK(MostRows(*version) <= long_rows);
    ask(kWidth, 16);
    wait(32);
    CHECK_EQ(MostRows(*version), version->limit_rows());

    ModelVersion* taken = engine->Take(handle);
    OnLoader(engine, loop, [&] {
      engine->Free(taken);
      return Status();
    });
    return "";
  });
  CHECK_EQ(wrong, "");
}

}  // namespace
}  // namespace sluice
