// The whole engine under threads, without Node and without ONNX Runtime: several event loops submit, cancel
// and set deadlines at random over a runner that fails, dawdles and throws at random. Every request must be
// answered exactly once, and rightly: by its own numbers, or by an error that it may have. Meant for the
// thread and the address sanitizer; says what it did. Usage: sluice_thread_tests [requests per loop] [seed]
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "hand_loop.h"
#include "scripted_runner.h"

namespace sluice {

namespace {

constexpr int kLoops = 3;
constexpr int kMostInFlight = 48;

struct Counts {
  int64_t right = 0, failed = 0, cancelled = 0, late = 0, refused = 0, wrong = 0;
};

struct Expected {
  std::vector<float> x;
  Mood worst = kFine;
  bool is_cancelled = false;
};

// One event loop and the clients that it has.
class Clients {
 public:
  Clients(Engine* engine, uint32_t handle, unsigned seed) : handle_(handle), random_(seed), loop_(engine) {}

  void Live(int requests) {
    for (int left = requests; left > 0 || !expected_.empty();) {
      for (int burst = Below(6); burst > 0 && left > 0 && expected_.size() < kMostInFlight; --burst, --left)
        Submit();
      if (Below(4) == 0) CancelOne();
      loop_.Flush();
      Deliver();
      const bool is_full = static_cast<int>(expected_.size()) >= kMostInFlight;
      if (is_full || (left == 0 && !expected_.empty())) loop_.Wait();
    }
    // Those whose clients were told early come back when their runs are over.
    for (Deliver(); loop_.outstanding() > 0; Deliver()) loop_.Wait();
  }

  Counts counts;

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  void Submit() {
    const int rows = 1 + Below(3);
    Expected expected;
    for (int row = 0; row < rows; ++row) {
      const int dice = Below(60);
      const Mood mood = dice <= kDawdles ? static_cast<Mood>(dice) : kFine;
      if (mood != kFine && mood != kDawdles) expected.worst = mood;
      const float values[kWidth] = {static_cast<float>(++nonce_), static_cast<float>(mood),
                                    static_cast<float>(Below(1000)), 0};
      expected.x.insert(expected.x.end(), values, values + kWidth);
    }
    const int64_t deadline_ns = Below(5) == 0 ? 1'000'000 * (1 + Below(8)) : 0;
    const Request* request = loop_.Submit(handle_, ScriptedBody(expected.x), deadline_ns);
    if (request == nullptr) {
      ++counts.wrong;
      return;
    }
    expected_[request->ticket] = std::move(expected);
  }

  void CancelOne() {
    if (expected_.empty()) return;
    auto chosen = expected_.begin();
    std::advance(chosen, Below(static_cast<int>(expected_.size())));
    chosen->second.is_cancelled = true;
    loop_.Cancel(loop_.Find(chosen->first));
  }

  void Deliver() {
    loop_.Deliver([this](const Request& request) { Check(request); });
  }

  void Check(const Request& request) {
    const auto found = expected_.find(request.ticket);
    if (found == expected_.end()) {
      ++counts.wrong;  // answered twice
      return;
    }
    const Expected expected = std::move(found->second);
    expected_.erase(found);
    const Code code = CodeOf(request);
    if (code == Code::kOk) {
      ++(expected.worst == kFine && HasAnswer(request, expected.x) ? counts.right : counts.wrong);
    } else if (code == Code::kRunFailed) {
      ++(expected.worst != kFine ? counts.failed : counts.wrong);
    } else if (code == Code::kCancelled) {
      ++(expected.is_cancelled ? counts.cancelled : counts.wrong);
    } else if (code == Code::kDeadlinePassed) {
      ++counts.late;
    } else if (code == Code::kQueueFull) {
      ++counts.refused;
    } else {
      ++counts.wrong;
    }
  }

  const uint32_t handle_;
  std::mt19937 random_;
  HandLoop loop_;
  std::map<uint32_t, Expected> expected_;
  int nonce_ = 0;
};

// One version that runs on workers, one that runs on the loops.
bool RunRound(Execution execution, const char* name, int requests, unsigned seed) {
  std::shared_ptr<Engine> engine;
  EngineOptions options;
  options.workers = 3;
  if (!Engine::Acquire(options, &engine).ok()) return false;
  uint32_t handle = 0;
  if (!engine->Open(SessionOptions(), &handle).ok()) return false;
  StartOptions start;
  start.spec = ScriptedSpec(seed + static_cast<uint64_t>(execution) * 1000 + 1);
  start.execution = execution;
  start.queue.instance_count = 2;
  if (!engine->Start(handle, std::move(start)).ok()) return false;

  std::vector<std::unique_ptr<Clients>> loops;
  for (int i = 0; i < kLoops; ++i)
    loops.push_back(std::make_unique<Clients>(engine.get(), handle, seed * 100 + static_cast<unsigned>(i)));
  std::vector<std::thread> threads;
  for (auto& loop : loops) threads.emplace_back([&loop, requests] { loop->Live(requests); });
  for (std::thread& thread : threads) thread.join();
  engine->Free(engine->Take(handle));
  const bool is_closed = engine->Version(handle) == nullptr;
  Counts all;
  for (const auto& loop : loops) {
    all.right += loop->counts.right;
    all.failed += loop->counts.failed;
    all.cancelled += loop->counts.cancelled;
    all.late += loop->counts.late;
    all.refused += loop->counts.refused;
    all.wrong += loop->counts.wrong;
  }
  loops.clear();
  engine.reset();
  const int64_t answered = all.right + all.failed + all.cancelled + all.late + all.refused;
  const bool is_good = is_closed && all.wrong == 0 && answered == int64_t{kLoops} * requests && all.right > 0;
  std::printf(
      "%s: %lld right, %lld failed as asked, %lld cancelled, %lld late, %lld refused, %lld wrong: %s\n", name,
      static_cast<long long>(all.right), static_cast<long long>(all.failed),
      static_cast<long long>(all.cancelled), static_cast<long long>(all.late),
      static_cast<long long>(all.refused), static_cast<long long>(all.wrong), is_good ? "ok" : "FAIL");
  return is_good;
}

}  // namespace
}  // namespace sluice

int main(int count, char** words) {
  using namespace sluice;
  const int requests = count > 1 ? std::atoi(words[1]) : 2000;
  const auto seed = static_cast<unsigned>(count > 2 ? std::atoi(words[2]) : 1);
  int failed = 0;
  failed += RunRound(Execution::kWorker, "workers", requests, seed) ? 0 : 1;
  failed += RunRound(Execution::kInline, "loops", requests, seed) ? 0 : 1;
  std::printf("native: %d passed, %d failed\n", 2 - failed, failed);
  return failed;
}
