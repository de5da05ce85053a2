// The whole way of requests where one allocation fails, whichever: open, start, submit, decode aside, batch,
// run, piece by piece, cancel, deliver, close. Every request that was taken in gets exactly one answer, a
// right one or an error that says so; nothing is left behind, and nothing hangs.
#include <array>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "base/clock.h"
#include "check.h"
#include "codec/v2_decoder.h"
#include "engine/engine.h"
#include "engine/hand_out.h"
#include "engine/loop_batcher.h"
#include "engine/refusal.h"
#include "memory/failing_memory.h"
#include "scripted_runner.h"

namespace sluice::test {
namespace {

struct Ask {
  int rows = 1;
  Mood mood = kFine;
  bool is_long = false;       // decoded by the decode thread
  bool is_cancelled = false;  // at once
  std::vector<float> x;
  std::string head;
  std::vector<uint8_t> body;
};

Ask MakeAsk(int number, int rows, Mood mood) {
  Ask ask;
  ask.rows = rows;
  ask.mood = mood;
  for (int row = 0; row < rows; ++row) {
    const float values[kWidth] = {static_cast<float>(number), row == 0 ? static_cast<float>(mood) : 0.0F,
                                  static_cast<float>(row), 0};
    ask.x.insert(ask.x.end(), values, values + kWidth);
  }
  ask.head =
      R"({"id":"an id that needs memory of its own","inputs":[{"name":"X","datatype":"FP32","shape":[)" +
      std::to_string(rows) + "," + std::to_string(kWidth) + R"(],"parameters":{"binary_data_size":)" +
      std::to_string(ask.x.size() * 4) + R"(}}],"parameters":{"binary_data_output":true}})";
  ask.body.assign(ask.head.begin(), ask.head.end());
  const auto* bytes = reinterpret_cast<const uint8_t*>(ask.x.data());
  ask.body.insert(ask.body.end(), bytes, bytes + ask.x.size() * 4);
  return ask;
}

constexpr size_t kAsks = 8;

// Made once, so that the test itself allocates nothing while allocations fail.
const std::array<Ask, kAsks>& Asks() {
  static const std::array<Ask, kAsks> asks = [] {
    std::array<Ask, kAsks> made = {MakeAsk(1, 1, kFine),   MakeAsk(2, 3, kFine),    MakeAsk(3, 1, kFails),
                                   MakeAsk(4, 2, kThrows), MakeAsk(5, 40, kFine),   MakeAsk(6, 1, kFine),
                                   MakeAsk(7, 2, kFine),   MakeAsk(8, 1, kNoMemory)};
    made[5].is_cancelled = true;
    made[6].is_long = true;
    return made;
  }();
  return asks;
}

// What the binding does with a loop, by hand.
class Loop {
 public:
  Loop(Engine* engine, uint32_t handle)
      : engine_(engine), handle_(handle), port_([this] { Wake(); }), batcher_(engine, &port_) {
    tickets_.fill(kNone);
  }

  void Submit(size_t index) {
    const Ask& ask = Asks()[index];
    ModelVersion* version = engine_->Version(handle_);
    Request* request = nullptr;
    try {
      request = port_.Acquire();
      request->submitted_ns = NowNs();
      request->deadline_ns = request->submitted_ns + version->longest_ns();
      if (ask.is_long) {
        request->body.Append(ask.body.data(), ask.body.size());
        request->head_length = static_cast<int64_t>(ask.head.size());
        request->version = version;
        version->Accepted();
        try {
          if (!engine_->SubmitForDecode(request)) Note("a decoder that is closed");
        } catch (...) {
          version->Withdrawn();
          throw;
        }
      } else {
        const Status status = decoder_.Decode(version->spec(), ask.body.data(), ask.body.size(),
                                              static_cast<int64_t>(ask.head.size()), request);
        if (!status.ok()) Note("a good body was refused");
        batcher_.Add(version, handle_, request);
        request->version = version;
        request->decoded_ns = NowNs();
        version->Accepted();
      }
    } catch (const std::exception&) {
      if (!HasFailed()) Note("a refusal without a failure");
      if (request != nullptr) port_.Release(request);
      ++answers_[index];  // refused: that is its answer
      return;
    }
    tickets_[index] = request->ticket;
    if (ask.is_cancelled) Cancel(request);
  }

  // Until everybody has an answer.
  void Live() {
    batcher_.Flush();
    for (;;) {
      Deliver();
      if (port_.outstanding() == 0) return;
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return is_woken_; });
      is_woken_ = false;
    }
  }

  const char* Wrong() {
    for (const int answers : answers_) {
      if (answers != 1) Note("a request without exactly one answer");
    }
    return wrong_;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  void Note(const char* what) { wrong_ = what; }
  void Wake() {
    std::lock_guard<std::mutex> lock(mutex_);
    is_woken_ = true;
    wake_.notify_one();
  }

  void Cancel(Request* request) {
    request->is_cancelled.store(true, std::memory_order_relaxed);
    auto* version = static_cast<ModelVersion*>(request->version);
    // It goes to the workers first, as one does whose tick is over.
    batcher_.Flush();
    if (!engine_->scheduler()->Cancel(version->queue(), request)) return;
    FailRefused(*version, Code::kCancelled, request);
    version->stats.Ended(&request, 1, NowNs());
    port_.CompleteOnLoop(request);
  }

  void Deliver() {
    HandOut hand_out(&port_);
    port_.RecycleTickets();
    while (Request* request = port_.NextCompleted()) {
      if (!request->is_told_early) Check(*request);
      hand_out.Add(request);
    }
  }

  void Check(const Request& request) {
    for (size_t i = 0; i < kAsks; ++i) {
      if (tickets_[i] != request.ticket) continue;
      tickets_[i] = kNone;
      ++answers_[i];
      const Ask& ask = Asks()[i];
      const Code code = request.early_code != Code::kOk ? request.early_code : request.code;
      const bool may_fail = HasFailed() || (ask.mood != kFine && code == Code::kRunFailed) ||
                            (ask.is_cancelled && code == Code::kCancelled);
      if (code == Code::kOk && (ask.mood != kFine || !HasAnswer(request, ask))) Note("a wrong answer");
      if (code != Code::kOk && !may_fail) Note("an error without a failure");
      if (code == Code::kBadRequest) Note("a good body was refused");
      return;
    }
    Note("an answer that nobody waits for");
  }

  static bool HasAnswer(const Request& request, const Ask& ask) {
    if (request.reply.size() != request.reply_head_bytes + ask.x.size() * 4) return false;
    for (size_t i = 0; i < ask.x.size(); ++i) {
      float y = 0;
      std::memcpy(&y, request.reply.data() + request.reply_head_bytes + i * 4, 4);
      if (y != 2 * ask.x[i] + 1) return false;
    }
    return true;
  }

  Engine* const engine_;
  const uint32_t handle_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_woken_ = false;
  CompletionPort port_;
  LoopBatcher batcher_;
  V2Decoder decoder_;
  std::array<uint32_t, kAsks> tickets_;
  std::array<int, kAsks> answers_{};
  const char* wrong_ = "";
};

std::string LifeOf(Engine* engine, Execution execution) {
  const auto not_ok = [] { return HasFailed() ? "" : "the model did not start"; };
  uint32_t handle = 0;
  if (!engine->Open(SessionOptions(), &handle).ok()) return not_ok();
  std::string wrong;
  try {
    static uint64_t serial = 0;
    StartOptions start;
    start.spec = ScriptedSpec(++serial);
    start.spec.may_exceed_batch = true;
    start.execution = execution;
    if (engine->Start(handle, std::move(start)).ok()) {
      // Two ticks: the second finds what the first has left warm.
      auto loop = std::make_unique<Loop>(engine, handle);
      for (size_t i = 0; i < kAsks; ++i) loop->Submit(i);
      loop->Live();
      wrong = loop->Wrong();
    } else {
      wrong = not_ok();
    }
  } catch (const std::bad_alloc&) {
    // The test's own memory.
  }
  if (!engine->Close(handle).ok()) wrong = "the model did not close";
  return wrong;
}

std::string Life(Execution execution) {
  EngineOptions options;
  options.workers = 2;
  std::shared_ptr<Engine> engine;
  if (!Engine::Acquire(options, &engine).ok()) return HasFailed() ? "" : "the engine did not start";
  return LifeOf(engine.get(), execution);
}

void Sweep(Execution execution) {
  Asks();
  int64_t rounds = 0;
  CHECK_EQ(SweepAllocations([execution] { return Life(execution); }, &rounds), "");
  CHECK(rounds > 50);
  std::printf("  %lld allocations failed in turn\n", static_cast<long long>(rounds - 1));
}

TEST("requests to the workers are answered once whichever allocation fails") { Sweep(Execution::kWorker); }
TEST("requests on the loop are answered once whichever allocation fails") { Sweep(Execution::kInline); }

}  // namespace
}  // namespace sluice::test
