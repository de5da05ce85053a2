// What a thread asks of the system, read back from the system.
#include "base/thread_priority.h"

#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <thread>

#include "check.h"

namespace sluice {
namespace {

// The first version of the kernel's `sched_attr`, in words: the slice lies at 24 bytes.
uint64_t SliceNs() {
  std::array<uint64_t, 6> attributes{};
  CHECK(syscall(SYS_sched_getattr, 0, attributes.data(), sizeof(attributes), 0) == 0);
  return attributes[3];
}

bool KnowsSlices() {
  utsname name{};
  int major = 0;
  int minor = 0;
  return uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 12));
}

TEST("a prompt thread has a short slice, and those that it starts have not") {
  if (!KnowsSlices()) return;
  std::thread([] {
    const uint64_t usual_ns = SliceNs();
    BePrompt();
    CHECK(SliceNs() == 500'000);
    CHECK(SliceNs() < usual_ns);
    uint64_t of_child_ns = 0;
    std::thread([&of_child_ns] { of_child_ns = SliceNs(); }).join();
    CHECK(of_child_ns == usual_ns);
  }).join();
}

}  // namespace
}  // namespace sluice
