// How long a thread was ready to run while others had the cores, as Linux counts it. Made and asked on the
// thread that it is about; owns the file it reads.
#pragma once

#include <cstdint>

namespace sluice {

class ThreadWait {
 public:
  ThreadWait();
  ~ThreadWait();
  ThreadWait(const ThreadWait&) = delete;
  ThreadWait& operator=(const ThreadWait&) = delete;

  // Since the thread began; stays 0 where the system does not tell.
  int64_t Ns() const;

 private:
  const int file_;
};

}  // namespace sluice
