// A shadow's life where one allocation fails, whichever: open, sample, queue, run, compare, keep, close. The
// answers of the primary are never touched by it, each sample is accounted for once, and both versions close.
#include <array>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "memory/failing_memory.h"
#include "memory/life.h"
#include "shadow/shadow_links.h"

namespace sluice::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr auto kPause = std::chrono::microseconds(100);

struct Sample {
  explicit Sample(std::vector<float> rows) : x(std::move(rows)), body(x) {}

  std::vector<float> x;
  ScriptedBody body;
};

constexpr size_t kSamples = 5;
constexpr int64_t kFailing = 1;  // of them, those that make the shadow fail

// Made once, so that the test itself allocates nothing while allocations fail.
const std::array<Sample, kSamples>& Samples() {
  static const std::array<Sample, kSamples> samples = {
      Sample(RowsOf(1, 1, kFine)), Sample(RowsOf(2, 3, kFine)), Sample(RowsOf(3, 2, kThrowsElsewhere)),
      Sample(RowsOf(4, 1, kFine)), Sample(RowsOf(5, 2, kFine))};
  return samples;
}

// Sends every sample through the primary with the shadow beside; how many the primary answered.
int64_t AnswerAll(HandLoop* loop, OpenVersion* primary, const std::shared_ptr<ShadowLink>& link) {
  int64_t answered = 0;
  std::array<uint32_t, kSamples> tickets{};
  for (size_t i = 0; i < kSamples; ++i) {
    tickets[i] = UINT32_MAX;
    try {
      tickets[i] = loop->Submit(primary->handle(), Samples()[i].body, 0, link)->ticket;
    } catch (const std::exception&) {
      if (!HasFailed()) primary->Note("a refusal without a failure");
    }
  }
  loop->Flush();
  const auto look = [&](const Request& request) {
    for (size_t i = 0; i < kSamples; ++i) {
      if (tickets[i] != request.ticket) continue;
      const bool is_ok = CodeOf(request) == Code::kOk;
      answered += is_ok ? 1 : 0;
      if (is_ok && !HasAnswer(request, Samples()[i].x)) primary->Note("a wrong answer");
      if (!is_ok && !HasFailed()) primary->Note("an error without a failure");
    }
  };
  for (loop->Deliver(look); loop->outstanding() > 0; loop->Deliver(look)) loop->Wait();
  return answered;
}

void CheckTotals(const ShadowTotals& totals, int64_t answered, OpenVersion* primary) {
  int64_t lost = 0, skipped = 0;
  for (const auto& count : totals.dropped) lost += count.load();
  for (const auto& count : totals.skipped) skipped += count.Get();
  if (totals.answered.load() != answered) primary->Note("an answer that the shadow was not told");
  const int64_t compared = totals.compared.Get();
  if (compared + lost + skipped != answered) primary->Note("a sample that is not accounted for once");
  if (totals.by_output[0]->requests.Get() != compared) primary->Note("an output that miscounts its requests");
  if (!HasFailed() && (lost > 0 || skipped != kFailing || totals.apart.Get() != compared))
    primary->Note("a sample was lost without a failure");
}

// As when the shadow's model is closed. Of two tries one has all the memory.
void CloseThoseOf(const ModelVersion* version, ShadowLinks* links) {
  const auto close = [&] {
    for (const auto& link : links->TakeOf(version)) link->Close(std::chrono::milliseconds(0));
  };
  try {
    close();
  } catch (const std::bad_alloc&) {
    close();
  }
}

std::string LifeOf(Engine* engine, HandLoop* loop, Execution execution) {
  OpenVersion primary(engine, loop, execution);
  OpenVersion shadow(engine, loop, Execution::kWorker, kOtherPath);
  ShadowLinks links;
  if (primary.is_open() && shadow.is_open()) {
    std::shared_ptr<ShadowLink> link;
    try {
      ShadowRules rules;
      rules.limits.lock_tries = 1 << 30;
      const Status status = ShadowLink::Open(engine->Version(primary.handle())->spec(),
                                             engine->Version(shadow.handle()), std::move(rules), &link);
      if (!status.ok()) primary.Note("a shadow that was refused");
      links.Add(link);
      const int64_t answered = AnswerAll(loop, &primary, link);
      while (link->queue().waiting_bytes() > 0) std::this_thread::sleep_for(kPause);
      if (!link->Close(kPatience)) primary.Note("a thread that does not end");
      CheckTotals(link->totals(), answered, &primary);
    } catch (const std::exception&) {
      if (!HasFailed()) primary.Note("no shadow without a failure");
    }
  }
  if (shadow.is_open()) CloseThoseOf(engine->Version(shadow.handle()), &links);
  if (!links.CloseAll(kPatience)) primary.Note("a thread that does not end");
  primary.Note(shadow.Close());
  return primary.Close();
}

void Sweep(Execution execution) {
  Samples();
  int64_t rounds = 0;
  const auto round = [execution] {
    return Life([execution](Engine* engine, HandLoop* loop) { return LifeOf(engine, loop, execution); });
  };
  CHECK_EQ(SweepAllocations(round, &rounds), "");
  CHECK(rounds > 100);
  std::printf("  %lld allocations failed in turn\n", static_cast<long long>(rounds - 1));
}

TEST("a shadow of the workers touches no answer whichever allocation fails") { Sweep(Execution::kWorker); }
TEST("a shadow of the loop touches no answer whichever allocation fails") { Sweep(Execution::kInline); }

}  // namespace
}  // namespace sluice::test
