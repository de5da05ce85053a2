// What the arena of a session holds, where the library tells it (API 23). The headers may be older than the
// library: the calls are then taken by their places in its table, which the C API promises never to change.
// Any thread.
#pragma once

#include <cstdint>

#include "run/ort_api.h"

namespace sluice {

class OrtArena {
 public:
  explicit OrtArena(const Ort& ort) : ort_(ort) {}
  ~OrtArena();
  OrtArena(const OrtArena&) = delete;
  OrtArena& operator=(const OrtArena&) = delete;

  // Before the first reading, while the session lives; nothing is told where it fails.
  void Open(const OrtSession* session);
  // Bytes that the arena has from the system, in use or not; negative where nobody tells.
  int64_t Bytes() const;

 private:
  const Ort& ort_;
  OrtAllocator* allocator_ = nullptr;
};

}  // namespace sluice
