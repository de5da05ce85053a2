#include "run/ort_arena.h"

#include <cstddef>
#include <cstdlib>

namespace sluice {

namespace {

constexpr int kStatsApi = 23;

// Places in the table of functions.
constexpr size_t kGetKeyValue = 297;
constexpr size_t kReleaseKeyValuePairs = 300;
constexpr size_t kAllocatorGetStats = 319;

#if ORT_API_VERSION >= 23
static_assert(offsetof(OrtApi, GetKeyValue) / sizeof(void*) == kGetKeyValue);
static_assert(offsetof(OrtApi, ReleaseKeyValuePairs) / sizeof(void*) == kReleaseKeyValuePairs);
static_assert(offsetof(OrtApi, AllocatorGetStats) / sizeof(void*) == kAllocatorGetStats);
#endif

using Pairs = void;
using GetKeyValueCall = const char*(ORT_API_CALL*)(const Pairs*, const char*);
using ReleasePairsCall = void(ORT_API_CALL*)(Pairs*);
using GetStatsCall = OrtStatus*(ORT_API_CALL*)(const OrtAllocator*, Pairs**);

template <typename Call>
Call CallAt(const void* table, size_t place) {
  return reinterpret_cast<Call>(static_cast<void* const*>(table)[place]);
}

}  // namespace

OrtArena::~OrtArena() {
  if (allocator_ != nullptr) ort_.api->ReleaseAllocator(allocator_);
}

void OrtArena::Open(const OrtSession* session) {
  if (ort_.library_api < kStatsApi) return;
  OrtStatus* status = ort_.api->CreateAllocator(session, ort_.cpu_memory, &allocator_);
  if (status == nullptr) return;
  ort_.api->ReleaseStatus(status);
  allocator_ = nullptr;
}

int64_t OrtArena::Bytes() const {
  if (allocator_ == nullptr) return -1;
  Pairs* pairs = nullptr;
  OrtStatus* status = CallAt<GetStatsCall>(ort_.api, kAllocatorGetStats)(allocator_, &pairs);
  if (status != nullptr) {
    ort_.api->ReleaseStatus(status);
    return -1;
  }
  // Without an arena there are no pairs.
  const char* text = CallAt<GetKeyValueCall>(ort_.api, kGetKeyValue)(pairs, "TotalAllocated");
  const int64_t bytes = text == nullptr ? -1 : std::strtoll(text, nullptr, 10);
  CallAt<ReleasePairsCall>(ort_.api, kReleaseKeyValuePairs)(pairs);
  return bytes;
}

}  // namespace sluice
