#include "memory/life.h"

#include <new>

#include "memory/failing_memory.h"

namespace sluice::test {

std::vector<float> RowsOf(int number, int rows, Mood mood) {
  std::vector<float> x;
  for (int row = 0; row < rows; ++row) {
    const float values[kWidth] = {static_cast<float>(number), row == 0 ? static_cast<float>(mood) : 0.0F,
                                  static_cast<float>(row), 0};
    x.insert(x.end(), values, values + kWidth);
  }
  return x;
}

std::string Life(const std::function<std::string(Engine*, HandLoop*)>& live) {
  EngineOptions options;
  options.workers = 2;
  std::shared_ptr<Engine> engine;
  if (!Engine::Acquire(options, &engine).ok()) return HasFailed() ? "" : "the engine did not start";
  try {
    HandLoop loop(engine.get());
    return live(engine.get(), &loop);
  } catch (const std::bad_alloc&) {
    return "";  // the test's own memory
  }
}

Code OnLoader(Engine* engine, HandLoop* loop, const std::function<Status()>& work) {
  Code code = Code::kOk;
  bool is_settled = false;
  try {
    engine->OnLoaderThread(loop->port(), work, [&](const Status& status) {
      code = status.code();
      is_settled = true;
    });
  } catch (const std::exception&) {
    return Code::kQueueFull;
  }
  while (!is_settled) {
    loop->Wait();
    loop->Deliver([](const Request&) {});
  }
  return code;
}

OpenVersion::OpenVersion(Engine* engine, HandLoop* loop, Execution execution, const std::string& path)
    : engine_(engine), loop_(loop) {
  static uint64_t serial = 0;
  const auto open = [this, &path] {
    SessionOptions options;
    options.path = path;
    const Status status = engine_->Open(options, &handle_);
    has_handle_ = status.ok();
    return status;
  };
  const auto start = [this, execution] {
    StartOptions options;
    options.spec = ScriptedSpec(++serial);
    options.spec.may_exceed_batch = true;
    options.execution = execution;
    return engine_->Start(handle_, std::move(options));
  };
  is_open_ = OnLoader(engine, loop, open) == Code::kOk && OnLoader(engine, loop, start) == Code::kOk;
  if (!is_open_ && !HasFailed()) Note("the model did not start");
}

const char* OpenVersion::Close() {
  if (!has_handle_) return wrong_;
  const auto free = [this, version = engine_->Take(handle_)] {
    engine_->Free(version);
    return Status();
  };
  // Of two tries one has all the memory.
  if (OnLoader(engine_, loop_, free) != Code::kOk &&
      (!HasFailed() || OnLoader(engine_, loop_, free) != Code::kOk))
    Note("the model did not close");
  return wrong_;
}

}  // namespace sluice::test
