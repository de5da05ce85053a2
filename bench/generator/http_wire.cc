#include "http_wire.h"

#include <strings.h>

#include <charconv>
#include <cstring>

namespace sluice::load {

namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool ReadSize(std::string_view text, int base, size_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end != text.data();
}

}  // namespace

bool HttpWire::ReadHead(std::string_view text, Head* head) const {
  if (text.size() < 12 || text.substr(0, 7) != "HTTP/1.") return false;
  size_t status = 0;
  if (!ReadSize(text.substr(9, 3), 10, &status)) return false;
  head->status = static_cast<int>(status);
  size_t at = text.find("\r\n");
  while (at + 2 < text.size()) {
    at += 2;
    const size_t end = text.find("\r\n", at);
    const std::string_view line = text.substr(at, end - at);
    at = end;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (EqualsIgnoringCase(name, "content-length")) {
      if (!ReadSize(value, 10, &head->content_length)) return false;
    } else if (EqualsIgnoringCase(name, "transfer-encoding")) {
      head->is_chunked = EqualsIgnoringCase(value, "chunked");
    } else if (EqualsIgnoringCase(name, "connection")) {
      head->is_last = EqualsIgnoringCase(value, "close");
    }
  }
  return true;
}

int64_t HttpWire::Read(std::string_view input, WireReply* reply) {
  size_t head_size = known_text_.size();
  if (head_size == 0 || input.size() < head_size ||
      std::memcmp(input.data(), known_text_.data(), head_size) != 0) {
    const size_t end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    head_size = end + 4;
    const std::string_view text = input.substr(0, head_size - 2);
    Head head;
    if (!ReadHead(text, &head)) return -1;
    known_ = head;
    known_text_.assign(input.substr(0, head_size));
  }
  reply->status = known_.status;
  reply->is_last = known_.is_last;
  if (known_.is_chunked) return ReadChunks(input, head_size, reply);
  if (input.size() - head_size < known_.content_length) return 0;
  reply->body = input.substr(head_size, known_.content_length);
  return static_cast<int64_t>(head_size + known_.content_length);
}

int64_t HttpWire::ReadChunks(std::string_view input, size_t at, WireReply* reply) {
  joined_chunks_.clear();
  for (;;) {
    const size_t end = input.find("\r\n", at);
    if (end == std::string_view::npos) return 0;
    size_t size = 0;
    if (!ReadSize(input.substr(at, end - at), 16, &size)) return -1;
    at = end + 2;
    if (input.size() < at + size + 2) return 0;
    joined_chunks_.append(input.substr(at, size));
    at += size + 2;
    if (size == 0) break;
  }
  reply->body = joined_chunks_;
  return static_cast<int64_t>(at);
}

}  // namespace sluice::load
