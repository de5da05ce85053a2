#include "connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace sluice::load {

namespace {

constexpr size_t kReadBytes = 64 * 1024;

}  // namespace

Address Resolve(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    throw std::runtime_error("cannot resolve " + host + ":" + port + ": " + gai_strerror(error));
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  address.family = found->ai_family;
  freeaddrinfo(found);
  return address;
}

bool Connection::Open(const Address& address, int epoll, uint32_t index) {
  Close();
  fd_ = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_ = epoll;
  index_ = index;
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 &&
      errno != EINPROGRESS) {
    Close();
    return false;
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u32 = index;
  is_watching_writes_ = true;
  state = ConnectionState::kConnecting;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &event) == 0;
}

void Connection::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  state = ConnectionState::kClosed;
  is_watching_writes_ = false;
  begin_ = end_ = 0;
  unsent_.clear();
  bundle.clear();
  under_way_.clear();
}

int Connection::ConnectError() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void Connection::WatchWrites(bool is_on) {
  if (is_on == is_watching_writes_) return;
  is_watching_writes_ = is_on;
  epoll_event event{};
  event.events = EPOLLIN;
  if (is_on) event.events |= EPOLLOUT;
  event.data.u32 = index_;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event);
}

bool Connection::Send(std::string_view bytes) {
  if (!unsent_.empty()) {
    unsent_.append(bytes);
    return true;
  }
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return true;
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  unsent_.assign(bytes.substr(sent < 0 ? 0 : static_cast<size_t>(sent)));
  WatchWrites(true);
  return true;
}

bool Connection::Flush() {
  if (!unsent_.empty()) {
    const ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    unsent_.erase(0, static_cast<size_t>(sent));
  }
  WatchWrites(!unsent_.empty());
  return true;
}

ReadResult Connection::Receive() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < kReadBytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() - end_ < kReadBytes) buffer_.resize(buffer_.size() * 2 + kReadBytes);
  }
  const size_t room = buffer_.size() - end_;
  const ssize_t got = recv(fd_, buffer_.data() + end_, room, 0);
  if (got == 0) return ReadResult::kEnded;
  if (got < 0) return errno == EAGAIN || errno == EINTR ? ReadResult::kDrained : ReadResult::kEnded;
  end_ += static_cast<size_t>(got);
  return static_cast<size_t>(got) < room ? ReadResult::kDrained : ReadResult::kMore;
}

void Connection::Consume(size_t size) { begin_ += size; }

UnderWay Connection::Pop() {
  const UnderWay oldest = under_way_.front();
  under_way_.erase(under_way_.begin());
  return oldest;
}

bool Connection::Take(uint32_t id, UnderWay* request) {
  for (auto it = under_way_.begin(); it != under_way_.end(); ++it) {
    if (it->id != id) continue;
    *request = *it;
    under_way_.erase(it);
    return true;
  }
  return false;
}

}  // namespace sluice::load
