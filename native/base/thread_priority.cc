#include "base/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sluice {

namespace {

constexpr int kGentlest = 19;
// Below the slices that Linux gives by itself: 0.7 ms on one core, more on several.
constexpr uint64_t kPromptSliceNs = 500'000;

id_t ThisThread() { return static_cast<id_t>(syscall(SYS_gettid)); }

// The first version of the kernel's `sched_attr`: libc has none before glibc 2.41.
struct Attributes {
  uint32_t size = sizeof(Attributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};
constexpr uint64_t kResetOnFork = 1;

}  // namespace

void BePrompt() {
  Attributes attributes;
  attributes.flags = kResetOnFork;
  attributes.nice = getpriority(PRIO_PROCESS, ThisThread());
  attributes.runtime = kPromptSliceNs;
  if (sched_getscheduler(0) == SCHED_OTHER) syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void LowerPriority(int niceness) { setpriority(PRIO_PROCESS, ThisThread(), niceness); }

void RunOnlyWhenIdle() {
  const sched_param none{};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) LowerPriority(kGentlest);
}

}  // namespace sluice
