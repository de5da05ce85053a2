// The whole engine under threads, without Node and without ONNX Runtime: several event loops submit, cancel
// and set deadlines at random over a runner that fails, dawdles and throws at random. Every request must be
// answered exactly once, and rightly: by its own numbers, or by an error that it may have. Meant for the
// thread and the address sanitizer; says what it did. Usage: sluice_thread_tests [requests per loop] [seed]
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "codec/v2_decoder.h"
#include "engine/engine.h"
#include "engine/hand_out.h"
#include "engine/loop_batcher.h"
#include "engine/refusal.h"

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

// One event loop: what the binding does with it, done here by hand.
class Loop {
 public:
  Loop(Engine* engine, uint32_t handle, unsigned seed)
      : engine_(engine),
        handle_(handle),
        random_(seed),
        port_([this] { Wake(); }),
        batcher_(engine, &port_) {}

  void Live(int requests) {
    for (int left = requests; left > 0 || !expected_.empty();) {
      for (int burst = Below(6); burst > 0 && left > 0 && expected_.size() < kMostInFlight; --burst, --left)
        Submit();
      if (Below(4) == 0) CancelOne();
      batcher_.Flush();
      Deliver();
      if (static_cast<int>(expected_.size()) >= kMostInFlight || left == 0) Sleep();
    }
    // Those whose clients were told early come back when their runs are over.
    while (port_.outstanding() > 0) {
      Deliver();
      Sleep();
    }
  }

  Counts counts;

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  void Wake() {
    std::lock_guard<std::mutex> lock(mutex_);
    is_woken_ = true;
    wake_.notify_one();
  }
  void Sleep() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(20), [this] { return is_woken_; });
    is_woken_ = false;
  }

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
    const std::string head =
        "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[" + std::to_string(rows) + "," +
        std::to_string(kWidth) +
        "],\"parameters\":{\"binary_data_size\":" + std::to_string(expected.x.size() * 4) +
        "}}],\"parameters\":{\"binary_data_output\":true}}";
    std::vector<uint8_t> body(head.begin(), head.end());
    const auto* bytes = reinterpret_cast<const uint8_t*>(expected.x.data());
    body.insert(body.end(), bytes, bytes + expected.x.size() * 4);

    ModelVersion* version = engine_->Version(handle_);
    Request* request = port_.Acquire();
    request->submitted_ns = NowNs();
    request->deadline_ns =
        request->submitted_ns + (Below(5) == 0 ? 1'000'000 * (1 + Below(8)) : version->longest_ns());
    if (!decoder_
             .Decode(version->spec(), body.data(), body.size(), static_cast<int64_t>(head.size()), request)
             .ok()) {
      ++counts.wrong;
      port_.Release(request);
      return;
    }
    request->version = version;
    request->decoded_ns = NowNs();
    version->Accepted();
    batcher_.Add(version, handle_, request);
    expected_[request->ticket] = std::move(expected);
  }

  void CancelOne() {
    if (expected_.empty()) return;
    auto chosen = expected_.begin();
    std::advance(chosen, Below(static_cast<int>(expected_.size())));
    chosen->second.is_cancelled = true;
    Request* request = port_.Find(chosen->first);
    request->is_cancelled.store(true, std::memory_order_relaxed);
    auto* version = static_cast<ModelVersion*>(request->version);
    if (!engine_->scheduler()->Cancel(version->queue(), request)) return;
    request->Fail(RefusalOf(*version, Code::kCancelled));
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
    const auto found = expected_.find(request.ticket);
    if (found == expected_.end()) {
      ++counts.wrong;  // answered twice
      return;
    }
    const Expected expected = std::move(found->second);
    expected_.erase(found);
    const Code code = request.early_code != Code::kOk ? request.early_code : request.code;
    if (code == Code::kOk) {
      ++(expected.worst == kFine && HasAnswer(request, expected) ? counts.right : counts.wrong);
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

  static bool HasAnswer(const Request& request, const Expected& expected) {
    const size_t size = expected.x.size() * sizeof(float);
    if (request.reply.size() != request.reply_head_bytes + size) return false;
    for (size_t i = 0; i < expected.x.size(); ++i) {
      float y = 0;
      std::memcpy(&y, request.reply.data() + request.reply_head_bytes + i * sizeof(float), sizeof(y));
      if (y != 2 * expected.x[i] + 1) return false;
    }
    return true;
  }

  Engine* const engine_;
  const uint32_t handle_;
  std::mt19937 random_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_woken_ = false;
  CompletionPort port_;
  LoopBatcher batcher_;
  V2Decoder decoder_;
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

  std::vector<std::unique_ptr<Loop>> loops;
  for (int i = 0; i < kLoops; ++i)
    loops.push_back(std::make_unique<Loop>(engine.get(), handle, seed * 100 + static_cast<unsigned>(i)));
  std::vector<std::thread> threads;
  for (auto& loop : loops) threads.emplace_back([&loop, requests] { loop->Live(requests); });
  for (std::thread& thread : threads) thread.join();
  const bool is_closed = engine->Close(handle).ok();
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
