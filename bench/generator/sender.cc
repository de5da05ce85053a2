#include "sender.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "clock.h"
#include "http_wire.h"
#include "ws_wire.h"

namespace sluice::load {

namespace {

constexpr int kMaxEvents = 256;
constexpr int64_t kLongestSleepNs = 100'000'000;
constexpr int64_t kLongestPollNs = 2'000;

std::unique_ptr<Wire> MakeWire(const Options& options) {
  if (options.protocol == Protocol::kHttp) return std::make_unique<HttpWire>();
  return std::make_unique<WsWire>(options.host, options.ws_path, options.requests.front().headers,
                                  options.has_frames);
}

uint32_t Share(uint64_t total, uint32_t thread, uint32_t threads) {
  return static_cast<uint32_t>(total / threads + (thread < total % threads ? 1 : 0));
}

}  // namespace

Sender::Sender(const Options& options, const RequestSet& requests, const Address& address, uint32_t thread,
               std::atomic<uint32_t>* connected, const std::atomic<int64_t>* start_ns)
    : options_(options),
      requests_(requests),
      address_(address),
      is_open_(options.arrivals != Arrivals::kClosed),
      connected_(connected),
      shared_start_ns_(start_ns),
      deadline_ns_(static_cast<int64_t>(options.deadline_ms * 1e6)),
      schedule_(MakeSchedule(options, thread)),
      random_(options.seed * 0x9e37'79b9u + thread),
      wire_(MakeWire(options)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  const uint32_t count = Share(options.connections, thread, options.threads);
  for (uint32_t i = 0; i < count; ++i)
    connections_.push_back(std::make_unique<Connection>(options.in_flight));
  outcome_.timeline = Timeline(options.timeline_s, options.duration_s);
  if (requests.groups().size() > 1) outcome_.groups.resize(requests.groups().size());
  if (!options.sends_file.empty()) outcome_.sends.reserve(schedule_.size());
  if (options.has_frames) {
    for (uint32_t i = 0; i < requests.size(); ++i) own_frames_.push_back(requests[i].bytes);
  }
  if (options.max_requests != 0) budget_ = Share(options.max_requests, thread, options.threads);
}

Sender::~Sender() { close(epoll_); }

void Sender::Run() {
  // Without it the kernel adds 50 us to every short sleep.
  prctl(PR_SET_TIMERSLACK, 1UL);
  ConnectAll();
  connected_->fetch_add(1);
  // Sleeping, not yielding: some schedulers hold every yield against the thread, and starve it once it wants
  // to work.
  const auto rest = [] { std::this_thread::sleep_for(std::chrono::microseconds(20)); };
  while (shared_start_ns_->load(std::memory_order_acquire) == 0) rest();
  Begin();
  while (NowNs() < start_ns_) rest();
  int64_t now = NowNs();
  while (!IsDone(now)) {
    if (cpu_at_measure_ns_ < 0 && now >= measure_begin_ns_) {
      cpu_at_measure_ns_ = ThreadCpuNs();
      spin_at_measure_ns_ = spin_ns_;
    }
    SendDue(now);
    Wait(now);
    answered_.store(outcome_.answered, std::memory_order_relaxed);
    now = NowNs();
  }
  CountUnsent();
  ThreadCost cost;
  cost.wall_s = static_cast<double>(now - measure_begin_ns_) * 1e-9;
  cost.cpu_s = static_cast<double>(ThreadCpuNs() - std::max<int64_t>(cpu_at_measure_ns_, 0)) * 1e-9;
  cost.spin_s = static_cast<double>(spin_ns_ - spin_at_measure_ns_) * 1e-9;
  outcome_.threads.push_back(cost);
}

// What is left when the time is over. With a deadline, what was still waiting for a connection is given up.
void Sender::CountUnsent() {
  outcome_.unanswered += under_way_;
  for (; next_ < schedule_.size(); ++next_) {
    if (deadline_ns_ == 0) {
      ++outcome_.unanswered;
    } else if (IsMeasured(schedule_[next_].at_ns)) {
      ++outcome_.given_up;
    }
  }
}

void Sender::ConnectAll() {
  for (uint32_t i = 0; i < connections_.size(); ++i) {
    if (!connections_[i]->Open(address_, epoll_, i)) ++outcome_.connect_errors;
  }
  const int64_t deadline = NowNs() + 5'000'000'000;
  while (free_.size() + outcome_.connect_errors < connections_.size() * options_.in_flight &&
         NowNs() < deadline) {
    Wait(NowNs());
  }
}

void Sender::Begin() {
  start_ns_ = shared_start_ns_->load(std::memory_order_acquire);
  measure_begin_ns_ = start_ns_ + static_cast<int64_t>(options_.warmup_s * 1e9);
  end_ns_ = measure_begin_ns_ + static_cast<int64_t>(options_.duration_s * 1e9);
  for (Arrival& arrival : schedule_) {
    arrival.at_ns += start_ns_;
    if (!IsMeasured(arrival.at_ns)) continue;
    ++outcome_.scheduled;
    if (TimeSlot* slot = outcome_.timeline.At(arrival.at_ns - measure_begin_ns_)) ++slot->scheduled;
  }
  is_running_ = true;
}

bool Sender::IsDone(int64_t now) const {
  const bool has_more = is_open_ ? next_ < schedule_.size() : budget_ > 0 && now < end_ns_;
  if (!has_more && under_way_ == 0) return true;
  return now >= end_ns_ + static_cast<int64_t>(options_.drain_s * 1e9);
}

void Sender::SendDue(int64_t now) {
  if (is_open_) {
    while (!free_.empty() && next_ < schedule_.size() && schedule_[next_].at_ns <= now) {
      const Arrival& arrival = schedule_[next_++];
      const int64_t intended = arrival.at_ns;
      if (deadline_ns_ != 0 && now - intended > deadline_ns_) {
        outcome_.given_up += IsMeasured(intended);
        continue;
      }
      const Slot slot = free_.front();
      free_.pop_front();
      if (IsMeasured(intended)) {
        // Waiting for a connection is the server's doing; being late with a free one is the generator's.
        if (slot.since_ns > intended) ++outcome_.waited_for_connection;
        outcome_.send_lag.Record(now - std::max(intended, slot.since_ns));
      }
      SendOne(slot, arrival, now);
      now = NowNs();
    }
    return;
  }
  while (!free_.empty() && budget_ > 0 && now < end_ns_) {
    const Slot slot = free_.front();
    free_.pop_front();
    SendOne(slot, {now, -1}, now);
    // What is only kept is sent when the clock would say nearly the same.
    if (kept_.empty()) now = NowNs();
  }
  FlushKept();
}

void Sender::FlushKept() {
  for (const uint32_t index : kept_) {
    std::string& bundle = connections_[index]->bundle;
    if (!bundle.empty()) connections_[index]->Keep(WsClientFrame(bundle, 0));
    bundle.clear();
    if (!connections_[index]->Flush()) Drop(index, &outcome_.broken);
  }
  kept_.clear();
}

void Sender::SendOne(const Slot& slot, const Arrival& arrival, int64_t now) {
  Connection& connection = *connections_[slot.index];
  const uint32_t request =
      arrival.request < 0 ? requests_.Choose(&random_) : static_cast<uint32_t>(arrival.request);
  const uint32_t id = next_id_++;
  connection.Push({arrival.at_ns, now, request, id});
  ++under_way_;
  --budget_;
  if (IsMeasured(arrival.at_ns)) {
    ++outcome_.sent;
    if (!outcome_.groups.empty()) ++outcome_.groups[requests_[request].group].sent;
  }
  if (!options_.sends_file.empty()) outcome_.sends.emplace_back(arrival.at_ns - start_ns_, now - start_ns_);
  std::string_view bytes = requests_[request].bytes;
  if (!own_frames_.empty()) {
    std::memcpy(own_frames_[request].data() + requests_[request].id_at, &id, sizeof id);
    bytes = own_frames_[request];
  }
  if (is_open_ || (options_.in_flight == 1 && !options_.has_bundles)) {
    if (!connection.Send(bytes)) Drop(slot.index, &outcome_.broken);
    return;
  }
  // A ceiling fills a connection with one write: a call for each message is most of what it costs.
  if (!connection.has_unsent()) kept_.push_back(slot.index);
  if (options_.has_bundles) {
    AppendToBundle(bytes.substr(requests_[request].message_at), &connection.bundle);
  } else {
    connection.Keep(bytes);
  }
}

void Sender::Wait(int64_t now) {
  int64_t sleep_ns = kLongestSleepNs;
  // A server that must wake a sleeping client for every batch of replies pays for it, and then that is what
  // is measured.
  if (is_running_ && !is_open_ && now - last_event_ns_ < options_.spin_us * 1000) sleep_ns = 0;
  if (is_running_ && is_open_ && next_ < schedule_.size() && !free_.empty()) {
    sleep_ns = std::min(sleep_ns, schedule_[next_].at_ns - now - options_.spin_us * 1000);
  }
  sleep_ns = std::max<int64_t>(sleep_ns, 0);
  epoll_event events[kMaxEvents];
  timespec timeout{0, static_cast<long>(sleep_ns)};
  const int count = epoll_pwait2(epoll_, events, kMaxEvents, &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    OnEvent(events[i].data.u32, events[i].events);
    // A ceiling sends after the whole batch of replies: the server then finds several requests a turn, as wrk
    // gives it.
    if (is_running_ && is_open_) SendDue(NowNs());
  }
  if (count > 0) last_event_ns_ = now;
  // An empty poll takes well under a microsecond; more means that something else ran meanwhile, at no cost to
  // us.
  if (count == 0 && sleep_ns == 0) spin_ns_ += std::min(NowNs() - now, kLongestPollNs);
}

void Sender::OnEvent(uint32_t index, uint32_t events) {
  Connection& connection = *connections_[index];
  if (connection.state == ConnectionState::kClosed) return;
  if (connection.state == ConnectionState::kConnecting) {
    if (connection.ConnectError() != 0) return Drop(index, &outcome_.connect_errors);
    if ((events & EPOLLOUT) == 0) return;
    connection.state = ConnectionState::kGreeting;
    const std::string_view greeting = wire_->Greeting();
    if (greeting.empty()) {
      OnReady(index, NowNs());
    } else if (!connection.Send(greeting)) {
      return Drop(index, &outcome_.broken);
    }
  }
  if ((events & EPOLLOUT) != 0 && !connection.Flush()) return Drop(index, &outcome_.broken);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  for (;;) {
    const ReadResult result = connection.Receive();
    if (result == ReadResult::kEnded) return Drop(index, &outcome_.broken);
    if (!ReadReplies(index, NowNs()) || result == ReadResult::kDrained) return;
  }
}

}  // namespace sluice::load
