#include "ws_wire.h"

#include <algorithm>
#include <cstring>

#include "frame.h"

namespace sluice::load {

namespace {

constexpr int kContinuation = 0;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

std::string ClientFrame(int opcode, std::string_view message, uint32_t mask) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  const uint64_t size = message.size();
  const auto append_size = [&](int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
      frame.push_back(static_cast<char>(size >> shift));
  };
  if (size < 126) {
    frame.push_back(static_cast<char>(0x80 | size));
  } else if (size < 65536) {
    frame.push_back(static_cast<char>(0x80 | 126));
    append_size(2);
  } else {
    frame.push_back(static_cast<char>(0x80 | 127));
    append_size(8);
  }
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(mask >> shift));
  // A bundle is made while it is measured.
  if (mask == 0) return frame.append(message);
  for (size_t i = 0; i < message.size(); ++i) {
    frame.push_back(static_cast<char>(static_cast<uint8_t>(message[i]) ^ (mask >> (24 - 8 * (i % 4)))));
  }
  return frame;
}

// A frame of a bundle lies behind its length, these letters and zeros, at a multiple of 16.
constexpr size_t kRecordBytes = 16;
constexpr std::string_view kRecordLetters("SLUB\0\0\0\0\0\0\0\0", 12);

bool IsRecord(std::string_view bytes) {
  return bytes.size() >= kRecordBytes && bytes.substr(4, 4) == kRecordLetters.substr(0, 4);
}

size_t NextRecordAt(size_t end) { return (end + kRecordBytes - 1) & ~(kRecordBytes - 1); }

}  // namespace

void AppendToBundle(std::string_view frame, std::string* bundle) {
  bundle->resize(NextRecordAt(bundle->size()), '\0');
  const auto size = static_cast<uint32_t>(frame.size());
  bundle->append(reinterpret_cast<const char*>(&size), sizeof size);
  bundle->append(kRecordLetters);
  bundle->append(frame);
}

std::string WsClientFrame(std::string_view message, uint32_t mask) {
  return ClientFrame(kBinary, message, mask);
}

namespace {

std::string Lines(const std::vector<std::string>& headers) {
  std::string lines;
  for (const std::string& header : headers) lines += header + "\r\n";
  return lines;
}

}  // namespace

WsWire::WsWire(const std::string& host, const std::string& path, const std::vector<std::string>& headers,
               bool has_frames)
    : greeting_(
          "GET " + path + " HTTP/1.1\r\nHost: " + host +
          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: c2x1aWNlLWxvYWQtdGVzdA==\r\n"
          "Sec-WebSocket-Version: 13\r\n" +
          Lines(headers) + "\r\n"),
      has_frames_(has_frames) {}

int64_t WsWire::ReadGreeting(std::string_view input, WireReply* reply) {
  const size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  if (input.substr(0, 12) != "HTTP/1.1 101") return -1;
  reply->status = 101;
  reply->is_control = true;
  return static_cast<int64_t>(end + 4);
}

// What a frame says of itself; false when it is none.
bool WsWire::ReadFrame(WireReply* reply) const {
  FrameReply frame;
  if (!ReadFrameReply(reply->body, &frame)) return false;
  reply->is_control = !frame.is_answer;
  reply->id = frame.id;
  reply->status = frame.status;
  return true;
}

bool WsWire::ReadBundled(std::string_view* bundle, WireReply* reply) {
  uint32_t size = 0;
  if (!IsRecord(*bundle)) return false;
  std::memcpy(&size, bundle->data(), sizeof size);
  if (size > bundle->size() - kRecordBytes) return false;
  *reply = WireReply{};
  reply->body = bundle->substr(kRecordBytes, size);
  bundle->remove_prefix(std::min(NextRecordAt(kRecordBytes + size), bundle->size()));
  return ReadFrame(reply);
}

int64_t WsWire::Read(std::string_view input, WireReply* reply) {
  if (input.size() < 2) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(input[i]); };
  const int opcode = byte(0) & 15;
  const bool is_end = (byte(0) & 0x80) != 0;
  // A server must not mask.
  if ((byte(1) & 0x80) != 0) return -1;
  uint64_t size = byte(1) & 127;
  size_t at = 2;
  if (size >= 126) {
    const size_t extra = size == 126 ? 2 : 8;
    if (input.size() < 2 + extra) return 0;
    size = 0;
    for (size_t i = 0; i < extra; ++i) size = size << 8 | byte(at++);
  }
  if (input.size() - at < size) return 0;
  const std::string_view body = input.substr(at, size);
  reply->status = 200;
  if (opcode >= kClose) {
    reply->is_control = true;
    reply->is_last = opcode == kClose;
    if (opcode == kPing) {
      pong_ = ClientFrame(kPong, body, 0);
      reply->answer = pong_;
    }
  } else if (is_end && opcode != kContinuation) {
    reply->body = body;
  } else {
    if (opcode != kContinuation) fragments_.clear();
    fragments_.append(body);
    reply->is_control = !is_end;
    reply->body = fragments_;
  }
  if (has_frames_ && !reply->is_control) {
    if (IsRecord(reply->body)) {
      reply->bundle = reply->body;
    } else if (!ReadFrame(reply)) {
      return -1;
    }
  }
  return static_cast<int64_t>(at + size);
}

}  // namespace sluice::load
