// Replaces the program's operator new and delete, and aligned_alloc and malloc_trim by the linker's --wrap.
#include "memory/failing_memory.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

namespace {

std::atomic<int64_t> left{0};  // until the one that fails; 0 and below: none
std::atomic<bool> has_failed{false};
std::atomic<int64_t> live{0};
std::atomic<int64_t> trims{0};

bool IsToFail() {
  if (left.load(std::memory_order_relaxed) <= 0) return false;
  if (left.fetch_sub(1) != 1) return false;
  has_failed = true;
  return true;
}

void* Counted(void* block) {
  if (block != nullptr) ++live;
  return block;
}

void* Allocate(size_t size) { return IsToFail() ? nullptr : Counted(std::malloc(size == 0 ? 1 : size)); }

void* AllocateOrThrow(size_t size) {
  void* block = Allocate(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void* AllocateAligned(size_t size, std::align_val_t alignment) {
  const auto step = static_cast<size_t>(alignment);
  void* block = nullptr;
  if (IsToFail() || posix_memalign(&block, step, size) != 0) throw std::bad_alloc();
  return Counted(block);
}

void Free(void* block) {
  if (block == nullptr) return;
  --live;
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return AllocateOrThrow(size); }
void* operator new[](size_t size) { return AllocateOrThrow(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void* operator new(size_t size, std::align_val_t alignment) { return AllocateAligned(size, alignment); }
void* operator new[](size_t size, std::align_val_t alignment) { return AllocateAligned(size, alignment); }
void operator delete(void* block) noexcept { Free(block); }
void operator delete[](void* block) noexcept { Free(block); }
void operator delete(void* block, size_t) noexcept { Free(block); }
void operator delete[](void* block, size_t) noexcept { Free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { Free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { Free(block); }
void operator delete(void* block, std::align_val_t) noexcept { Free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { Free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { Free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { Free(block); }

// The buffers of the core come from here. They are freed by std::free, so they are not among the live blocks:
// the address sanitizer looks for leaks of them.
extern "C" void* __real_aligned_alloc(size_t alignment, size_t size);
extern "C" void* __wrap_aligned_alloc(size_t alignment, size_t size);
void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  return IsToFail() ? nullptr : __real_aligned_alloc(alignment, size);
}

extern "C" int __real_malloc_trim(size_t kept);
extern "C" int __wrap_malloc_trim(size_t kept);
int __wrap_malloc_trim(size_t kept) {
  ++trims;
  return __real_malloc_trim(kept);
}

namespace sluice::test {

namespace {
constexpr int64_t kMostRounds = 20'000;
// A minute at least: a thread of the idle class may wait that long on a machine that has much to do.
constexpr int kMostLooks = 600'000;
constexpr auto kPause = std::chrono::microseconds(100);
}  // namespace

void FailAllocation(int64_t nth) {
  has_failed = false;
  left = nth;
}
void StopFailing() { left = 0; }
bool HasFailed() { return has_failed; }
int64_t LiveBlocks() { return live; }
int64_t Trims() { return trims; }

// Counted in looks: time in which the whole process is stopped is nobody's.
bool ComesTrue(const std::function<bool()>& condition) {
  for (int looks = 0; looks < kMostLooks; ++looks) {
    if (condition()) return true;
    std::this_thread::sleep_for(kPause);
  }
  return false;
}

std::string SweepAllocations(const std::function<std::string()>& round, int64_t* rounds) {
  // What is made once for the whole process is made here.
  std::string wrong = round();
  if (!wrong.empty()) return wrong + " without any failure";
  // Threads that have let go of the engine may still be on their way out, now and after each round: it falls
  // with them.
  int64_t least = LiveBlocks();
  const auto comes_back = [&least] {
    const int64_t blocks = LiveBlocks();
    if (blocks > least) return false;
    least = blocks;
    return true;
  };
  for (*rounds = 1; *rounds < kMostRounds; ++*rounds) {
    FailAllocation(*rounds);
    wrong = round();
    const bool is_over = !HasFailed();
    StopFailing();
    const auto where = [rounds] { return " when allocation " + std::to_string(*rounds) + " fails"; };
    if (!wrong.empty()) return wrong + where();
    if (!ComesTrue(comes_back)) return std::to_string(LiveBlocks() - least) + " blocks left behind" + where();
    if (is_over) return "";
  }
  return "no end of allocations";
}

}  // namespace sluice::test
