// What a request costs between decode and encode: the policy, the queue, its way through the port.
#include "engine/completion_port.h"
#include "micro.h"
#include "schedule/policy.h"
#include "schedule/version_queue.h"

namespace sluice {
namespace {

using micro::Keep;

constexpr int kTick = 32;

MICRO("policy, one decision") {
  static const BatchRules rules{16, 5'000'000, {4, 8}};
  for (int64_t i = 0; i < times; ++i) {
    const BatchDecision decision = DecideBatch(rules, {i & 15, i}, i + 1'000'000);
    Keep(decision.take_rows);
  }
}

// The requests of one tick, put into a queue and taken as a batch; per request.
MICRO("queue and take, 32 requests, each") {
  static Request requests[kTick];
  static VersionQueue queue({64, 0, {}}, true, 1);
  static Batch batch;
  for (Request& request : requests) request.rows = 1;
  for (int64_t i = 0; i < times; i += kTick) {
    for (Request& request : requests) queue.Push(&request);
    batch.requests.clear();
    batch.cancelled.clear();
    batch.rows = 0;
    int64_t look_again_ns = 0;
    if (!queue.Take(i, &batch, &look_again_ns)) std::abort();
    Keep(batch.rows);
  }
}

// Ticket, completion, delivery, release, as for requests that ran on the loop; per request.
MICRO("submit and deliver, 32 requests, each") {
  static CompletionPort port([] {});
  for (int64_t i = 0; i < times; i += kTick) {
    for (int k = 0; k < kTick; ++k) port.CompleteOnLoop(port.Acquire());
    while (Request* request = port.NextCompleted()) port.Release(request);
    port.RecycleTickets();
  }
}

// The same for requests that a worker finished: over a mutex, with a wake.
MICRO("submit and deliver by worker, 32, each") {
  static CompletionPort port([] {});
  static Request* requests[kTick];
  for (int64_t i = 0; i < times; i += kTick) {
    for (Request*& request : requests) request = port.Acquire();
    port.Complete(requests, kTick);
    while (Request* request = port.NextCompleted()) port.Release(request);
    port.RecycleTickets();
  }
}

}  // namespace
}  // namespace sluice
