#include "base/thread_wait.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>

namespace sluice {

ThreadWait::ThreadWait() : file_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}

ThreadWait::~ThreadWait() {
  if (file_ >= 0) close(file_);
}

int64_t ThreadWait::Ns() const {
  // Time on a core, time ready without one, turns.
  std::array<char, 80> text;
  const ssize_t size = file_ < 0 ? -1 : pread(file_, text.data(), text.size() - 1, 0);
  if (size <= 0) return 0;
  text[static_cast<size_t>(size)] = 0;
  int64_t wait_ns = 0;
  return std::sscanf(text.data(), "%*u %" SCNd64, &wait_ns) == 1 ? wait_ns : 0;
}

}  // namespace sluice
