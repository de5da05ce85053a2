// The whole way of requests where one allocation fails, whichever: open, start and close on a loader thread,
// submit, decode aside, batch, run, piece by piece, cancel, deliver. Every request that was taken in gets
// exactly one answer, a right one or an error that says so; nothing is left behind, and nothing hangs.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "memory/failing_memory.h"
#include "memory/life.h"

namespace sluice::test {
namespace {

struct Ask {
  Ask(int number, int rows, Mood mood) : mood(mood), x(RowsOf(number, rows, mood)), body(x) {}

  Mood mood;
  bool is_long = false;       // decoded by the decode thread
  bool is_cancelled = false;  // at once
  std::vector<float> x;
  ScriptedBody body;
};

constexpr size_t kAsks = 8;

// Made once, so that the test itself allocates nothing while allocations fail.
const std::array<Ask, kAsks>& Asks() {
  static const std::array<Ask, kAsks> asks = [] {
    std::array<Ask, kAsks> made = {Ask(1, 1, kFine),   Ask(2, 3, kFine),    Ask(3, 1, kFails),
                                   Ask(4, 2, kThrows), Ask(5, 40, kFine),   Ask(6, 1, kFine),
                                   Ask(7, 2, kFine),   Ask(8, 1, kNoMemory)};
    made[5].is_cancelled = true;
    made[6].is_long = true;
    return made;
  }();
  return asks;
}

// Submits every ask, and counts what comes back.
class Clients {
 public:
  Clients(HandLoop* loop, uint32_t handle) : loop_(loop), handle_(handle) { tickets_.fill(kNone); }

  void Submit(size_t index) {
    const Ask& ask = Asks()[index];
    Request* request = nullptr;
    try {
      request = ask.is_long ? loop_->SubmitLong(handle_, ask.body) : loop_->Submit(handle_, ask.body);
      if (request == nullptr) Note("a good body was refused");
    } catch (const std::exception&) {
      if (!HasFailed()) Note("a refusal without a failure");
    }
    if (request == nullptr) {
      ++answers_[index];  // refused: that is its answer
      return;
    }
    tickets_[index] = request->ticket;
    if (!ask.is_cancelled) return;
    // It goes to the workers first, as one does whose tick is over.
    loop_->Flush();
    loop_->Cancel(request);
  }

  // Until everybody has an answer.
  const char* Live() {
    loop_->Flush();
    const auto deliver = [this] { loop_->Deliver([this](const Request& request) { Check(request); }); };
    for (deliver(); loop_->outstanding() > 0; deliver()) loop_->Wait();
    for (const int answers : answers_) {
      if (answers != 1) Note("a request without exactly one answer");
    }
    return wrong_;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  void Note(const char* what) { wrong_ = what; }

  void Check(const Request& request) {
    for (size_t i = 0; i < kAsks; ++i) {
      if (tickets_[i] != request.ticket) continue;
      tickets_[i] = kNone;
      ++answers_[i];
      const Ask& ask = Asks()[i];
      const Code code = CodeOf(request);
      const bool may_fail = HasFailed() || (ask.mood != kFine && code == Code::kRunFailed) ||
                            (ask.is_cancelled && code == Code::kCancelled);
      if (code == Code::kOk && (ask.mood != kFine || !HasAnswer(request, ask.x))) Note("a wrong answer");
      if (code != Code::kOk && !may_fail) Note("an error without a failure");
      if (code == Code::kBadRequest) Note("a good body was refused");
      return;
    }
    Note("an answer that nobody waits for");
  }

  HandLoop* const loop_;
  const uint32_t handle_;
  std::array<uint32_t, kAsks> tickets_;
  std::array<int, kAsks> answers_{};
  const char* wrong_ = "";
};

std::string LifeOf(Engine* engine, HandLoop* loop, Execution execution) {
  OpenVersion version(engine, loop, execution);
  if (version.is_open()) {
    Clients clients(loop, version.handle());
    for (size_t i = 0; i < kAsks; ++i) clients.Submit(i);
    version.Note(clients.Live());
  }
  return version.Close();
}

void Sweep(Execution execution) {
  Asks();
  int64_t rounds = 0;
  const auto round = [execution] {
    return Life([execution](Engine* engine, HandLoop* loop) { return LifeOf(engine, loop, execution); });
  };
  CHECK_EQ(SweepAllocations(round, &rounds), "");
  CHECK(rounds > 50);
  std::printf("  %lld allocations failed in turn\n", static_cast<long long>(rounds - 1));
}

TEST("requests to the workers are answered once whichever allocation fails") { Sweep(Execution::kWorker); }
TEST("requests on the loop are answered once whichever allocation fails") { Sweep(Execution::kInline); }

TEST("what a load took is given back to the system though the load failed") {
  std::shared_ptr<Engine> engine;
  CHECK(Engine::Acquire({}, &engine).ok());
  const int64_t before = Trims();
  uint32_t handle = 0;
  FailAllocation(1);
  CHECK(!engine->Open({}, &handle).ok());
  StopFailing();
  CHECK(ComesTrue([before] { return Trims() > before; }));
}

}  // namespace
}  // namespace sluice::test
