// VersionStats: what is counted about one model version. Written by the event loops and workers that serve
// it, read by a loop on request; every number is a relaxed atomic, so nobody waits for anybody. Owned by its
// ModelVersion. What most requests share is added once per batch, not once per request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/histogram.h"
#include "base/release.h"
#include "base/status.h"
#include "engine/cut_padding.h"
#include "schedule/request.h"

namespace sluice {

// Where the time of a request goes, in order. The names are those of STAGES in src/core/version-stats.ts.
enum class Stage { kReceive, kDecode, kQueue, kBatchWait, kGather, kRun, kEncode, kSend };
inline constexpr const char* kStageNames[] = {"receive", "decode", "queue",  "batch_wait",
                                              "gather",  "run",    "encode", "send"};
inline constexpr int kStageCount = sizeof(kStageNames) / sizeof(kStageNames[0]);

// How a request ended. The names are those of OUTCOMES in src/core/version-stats.ts.
enum class Outcome { kOk, kFailed, kCancelled, kExpired, kRefused };
inline constexpr const char* kOutcomeNames[] = {"ok", "failed", "cancelled", "expired", "refused"};
inline constexpr int kOutcomeCount = sizeof(kOutcomeNames) / sizeof(kOutcomeNames[0]);

// In the order of WireForm: V2 bodies come over HTTP, frames over a WebSocket.
inline constexpr const char* kProtocolNames[] = {"http", "ws"};
inline constexpr int kProtocolCount = sizeof(kProtocolNames) / sizeof(kProtocolNames[0]);

inline constexpr int kMostCodes = 32;

// Instants of one session run, monotonic ns.
struct RunTimes {
  int64_t begun_ns = 0;
  int64_t gathered_ns = 0;
  int64_t ran_ns = 0;
  int64_t encoded_ns = 0;
};

// What came over one protocol.
struct ProtocolStats {
  std::array<Histogram, kStageCount> stages;
  // From the first byte of the body to the encoded reply.
  Histogram ok_total;
  Histogram failed_total;
  std::array<std::atomic<uint64_t>, kOutcomeCount> outcomes{};
  std::atomic<uint64_t> request_bytes{0};
  std::atomic<uint64_t> reply_bytes{0};
};

// Runs of one batch size.
struct BatchSizeStats {
  std::atomic<uint64_t> runs{0};
  std::atomic<int64_t> gather_ns{0};
  std::atomic<int64_t> run_ns{0};
  std::atomic<int64_t> encode_ns{0};
};

class VersionStats {
 public:
  // Larger batches than these are rare enough for a lock.
  static constexpr int64_t kMostDirectRows = 256;

  VersionStats() = default;
  ~VersionStats();
  VersionStats(const VersionStats&) = delete;
  VersionStats& operator=(const VersionStats&) = delete;

  void Accepted() { waiting_.fetch_add(1, std::memory_order_relaxed); }
  void Withdrawn() { waiting_.fetch_sub(1, std::memory_order_relaxed); }
  // Refused before it was accepted.
  void Refused(WireForm wire, Code code);
  // A batch leaves the queue: afterwards its requests count as running. `held_since_ns`: since when the
  // policy kept it waiting for company while a worker was free; 0 = never.
  void Taken(Request* const* requests, size_t count, Release release, int64_t held_since_ns, int64_t now_ns);
  // One session run with its replies encoded.
  void Ran(Request* const* requests, size_t count, int64_t rows, const RunTimes& times);
  // What a run's inputs were filled up with; versions with padding rules only.
  void Padded(const PaddingCount& count) {
    padded_elements_.fetch_add(static_cast<uint64_t>(count.elements), std::memory_order_relaxed);
    padding_elements_.fetch_add(static_cast<uint64_t>(count.padding), std::memory_order_relaxed);
  }
  void RunFailed() { failed_runs_.fetch_add(1, std::memory_order_relaxed); }
  // The requests have their codes and replies.
  void Ended(Request* const* requests, size_t count, int64_t now_ns);
  // The loop has passed on that many good replies, so long after their end.
  void Sent(WireForm wire, uint64_t count, int64_t send_ns);

  // Reading. A protocol that nobody used is null.
  const ProtocolStats* protocol(int index) const { return protocols_[index].load(std::memory_order_acquire); }
  uint64_t refused(int code) const { return refused_[code].load(std::memory_order_relaxed); }
  uint64_t released(int release) const { return released_[release].load(std::memory_order_relaxed); }
  uint64_t ok_rows() const { return ok_rows_.load(std::memory_order_relaxed); }
  uint64_t failed_runs() const { return failed_runs_.load(std::memory_order_relaxed); }
  // Elements of padded inputs that were run, and those of them that only filled up.
  uint64_t padded_elements() const { return padded_elements_.load(std::memory_order_relaxed); }
  uint64_t padding_elements() const { return padding_elements_.load(std::memory_order_relaxed); }
  int64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  int64_t last_ok_ns() const { return last_ok_ns_.load(std::memory_order_relaxed); }
  // Differs between two readings as soon as any number does: the sum of all that only grow, and what waits.
  uint64_t Mark() const;
  // Calls `visit(rows, stats)` for every batch size that ran, ascending.
  template <typename Visit>
  void VisitBatchSizes(Visit visit) const {
    const BatchSizeStats* direct = batch_sizes_.load(std::memory_order_acquire);
    for (int64_t rows = 0; direct != nullptr && rows <= kMostDirectRows; ++rows) {
      if (direct[rows].runs.load(std::memory_order_relaxed) > 0) visit(rows, direct[rows]);
    }
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [rows, stats] : large_batches_) visit(rows, stats);
  }

 private:
  ProtocolStats* Of(WireForm wire);
  BatchSizeStats* OfSize(int64_t rows);

  // Made with the first request, so that a version which only waits costs little.
  std::array<std::atomic<ProtocolStats*>, kProtocolCount> protocols_{};
  std::atomic<BatchSizeStats*> batch_sizes_{nullptr};
  std::array<std::atomic<uint64_t>, kMostCodes> refused_{};
  std::array<std::atomic<uint64_t>, kReleaseCount> released_{};
  std::atomic<uint64_t> ok_rows_{0};
  std::atomic<uint64_t> failed_runs_{0};
  std::atomic<uint64_t> padded_elements_{0};
  std::atomic<uint64_t> padding_elements_{0};
  std::atomic<int64_t> waiting_{0};
  std::atomic<int64_t> last_ok_ns_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::map<int64_t, BatchSizeStats> large_batches_;
};

}  // namespace sluice
