// One thread of the generator: its connections, its share of the schedule, its counts. Only `Run` is called
// from the thread; everything it points to is constant and outlives it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "connection.h"
#include "options.h"
#include "outcome.h"
#include "request_set.h"
#include "schedule.h"
#include "wire.h"

namespace sluice::load {

class Sender {
 public:
  // `start_ns` is set by main once every sender has counted itself in `connected`.
  Sender(const Options& options, const RequestSet& requests, const Address& address, uint32_t thread,
         std::atomic<uint32_t>* connected, const std::atomic<int64_t>* start_ns);
  ~Sender();

  void Run();
  const Outcome& outcome() const { return outcome_; }
  // Any thread, while it runs.
  uint64_t answered() const { return answered_.load(std::memory_order_relaxed); }

 private:
  // A connection that may send, and since when.
  struct Slot {
    uint32_t index;
    int64_t since_ns;
  };

  void ConnectAll();
  void Begin();
  bool IsDone(int64_t now) const;
  void SendDue(int64_t now);
  void SendOne(const Slot& slot, const Arrival& arrival, int64_t now);
  void FlushKept();
  void CountUnsent();
  void Wait(int64_t now);
  void OnEvent(uint32_t index, uint32_t events);
  bool ReadReplies(uint32_t index, int64_t now);
  // False where one cannot be read or was not asked for.
  bool OnBundle(uint32_t index, std::string_view bundle, int64_t now);
  // False for an answer that was not asked for.
  bool OnReply(uint32_t index, const WireReply& reply, int64_t now);
  void OnReady(uint32_t index, int64_t now);
  void Drop(uint32_t index, uint64_t* counter);
  void Count(const UnderWay& request, const WireReply& reply, int64_t now);
  bool Verify(const UnderWay& request, const WireReply& reply);
  bool IsMeasured(int64_t intended_ns) const {
    return intended_ns >= measure_begin_ns_ && intended_ns < end_ns_;
  }

  const Options& options_;
  const RequestSet& requests_;
  const Address& address_;
  const bool is_open_;
  std::atomic<uint32_t>* connected_;
  const std::atomic<int64_t>* shared_start_ns_;
  const int64_t deadline_ns_;
  std::vector<Arrival> schedule_;
  size_t next_ = 0;
  Random random_;
  std::unique_ptr<Wire> wire_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Slot> free_;
  int epoll_ = -1;
  bool is_running_ = false;
  // Own copies of messages with an id, which is written into them.
  std::vector<std::string> own_frames_;
  uint32_t next_id_ = 1;
  // Connections with messages that wait to be sent together.
  std::vector<uint32_t> kept_;
  uint64_t under_way_ = 0;
  uint64_t budget_ = UINT64_MAX;
  int64_t start_ns_ = 0;
  int64_t measure_begin_ns_ = 0;
  int64_t end_ns_ = 0;
  int64_t last_event_ns_ = 0;
  int64_t spin_ns_ = 0;
  int64_t cpu_at_measure_ns_ = -1;
  int64_t spin_at_measure_ns_ = 0;
  std::atomic<uint64_t> answered_{0};
  Outcome outcome_;
};

}  // namespace sluice::load
