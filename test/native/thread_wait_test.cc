// What the system says of a thread's waits, beside what the thread's own clocks say.
#include "base/thread_wait.h"

#include <sched.h>

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "check.h"

namespace sluice {
namespace {

void StayOnThisCpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

TEST("a thread that shares a core has waited for as long as its clock went on without it") {
  std::thread([] {
    StayOnThisCpu();
    const ThreadWait wait;
    const int64_t begin_ns = NowNs();
    const int64_t begin_cpu_ns = ThreadCpuNs();
    const int64_t begin_wait_ns = wait.Ns();
    std::atomic<bool> is_over{false};
    std::thread rival([&is_over] {
      while (!is_over.load(std::memory_order_relaxed)) {
      }
    });
    // Ten of this thread's turns, which are never longer than a hundredth of a second.
    while (ThreadCpuNs() - begin_cpu_ns < 100'000'000) {
    }
    const int64_t waited_ns = wait.Ns() - begin_wait_ns;
    const int64_t without_ns = (NowNs() - begin_ns) - (ThreadCpuNs() - begin_cpu_ns);
    is_over.store(true, std::memory_order_relaxed);
    rival.join();
    if (wait.Ns() == 0) return;  // a system that does not tell
    CHECK(waited_ns > 0);
    CHECK(waited_ns <= without_ns + without_ns / 100);  // two clocks
  }).join();
}

}  // namespace
}  // namespace sluice
