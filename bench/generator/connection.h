// One socket with its buffers and the requests that are under way on it, oldest first. Belongs to one sender
// thread. Request bytes are borrowed from the RequestSet, which outlives every connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace sluice::load {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = 0;
};

// Throws std::runtime_error when the name does not resolve.
Address Resolve(const std::string& host, const std::string& port);

struct UnderWay {
  int64_t intended_ns = 0;
  int64_t sent_ns = 0;
  uint32_t request = 0;
  // What the reply brings back, where messages have ids.
  uint32_t id = 0;
};

enum class ConnectionState { kClosed, kConnecting, kGreeting, kReady };

enum class ReadResult { kMore, kDrained, kEnded };

class Connection {
 public:
  explicit Connection(uint32_t in_flight) { under_way_.reserve(in_flight); }
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to connect and registers with `epoll` under `index`. False when the system refuses a socket.
  bool Open(const Address& address, int epoll, uint32_t index);
  void Close();
  // 0, or why connecting failed.
  int ConnectError() const;

  // Sends, or keeps what the socket does not take; borrowed bytes must stay alive until the connection
  // closes. False when the connection is broken.
  bool Send(std::string_view bytes);
  // Keeps a copy for the next Flush, which sends all that was kept at once.
  void Keep(std::string_view bytes) { unsent_.append(bytes); }
  bool Flush();
  bool has_unsent() const { return !unsent_.empty() || !bundle.empty(); }
  // Frames that will leave as one message.
  std::string bundle;

  ReadResult Receive();
  std::string_view input() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void Consume(size_t size);

  void Push(const UnderWay& request) { under_way_.push_back(request); }
  // The oldest.
  UnderWay Pop();
  // The one with that id; false when there is none.
  bool Take(uint32_t id, UnderWay* request);
  uint32_t under_way() const { return static_cast<uint32_t>(under_way_.size()); }
  const std::vector<UnderWay>& requests() const { return under_way_; }

  ConnectionState state = ConnectionState::kClosed;

 private:
  void WatchWrites(bool is_on);

  int fd_ = -1;
  int epoll_ = -1;
  uint32_t index_ = 0;
  bool is_watching_writes_ = false;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string unsent_;
  std::vector<UnderWay> under_way_;
};

}  // namespace sluice::load
