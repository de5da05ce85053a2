#include "request_set.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "frame.h"
#include "ws_wire.h"

namespace sluice::load {

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string PostRequest(const Options& options, const RequestOption& request, const std::string& body) {
  std::string bytes =
      "POST " + request.path + " HTTP/1.1\r\nHost: " + options.host + ":" + options.port + "\r\n";
  for (const std::string& header : request.headers) bytes += header + "\r\n";
  return bytes + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

RequestSet::RequestSet(const Options& options) {
  double sum = 0;
  for (const RequestOption& request : options.requests) {
    PreparedRequest prepared;
    if (options.protocol == Protocol::kWebSocket) {
      const std::string message = ReadFile(request.body_file);
      // An id is written over the bytes of a message, so its mask must be zeros; the server unmasks as ever.
      const uint64_t mask = options.has_frames ? 0 : Random(options.seed).Next();
      prepared.bytes = WsClientFrame(message, static_cast<uint32_t>(mask));
      prepared.message_at = prepared.bytes.size() - message.size();
      if (options.has_frames) {
        const int64_t id_at = FindRequestId(message);
        if (id_at < 0)
          throw std::runtime_error("expected a frame with a request whose id is not 0 in " +
                                   request.body_file);
        prepared.id_at = static_cast<int64_t>(prepared.message_at) + id_at;
      }
    } else if (!request.request_file.empty()) {
      prepared.bytes = ReadFile(request.request_file);
    } else {
      prepared.bytes = PostRequest(options, request, ReadFile(request.body_file));
    }
    for (const std::string& file : request.expect_files) prepared.expected_bodies.push_back(ReadFile(file));
    prepared.expected_float_bytes = request.expect_float_bytes;
    const auto known = std::find(groups_.begin(), groups_.end(), request.name);
    prepared.group = static_cast<uint32_t>(known - groups_.begin());
    if (known == groups_.end()) groups_.push_back(request.name);
    requests_.push_back(std::move(prepared));
    upper_.push_back(sum += request.weight);
  }
  if (!(sum > 0)) throw std::runtime_error("expected one --weight above 0");
}

uint32_t RequestSet::Choose(Random* random) const {
  if (requests_.size() == 1) return 0;
  const double at = random->Uniform() * upper_.back();
  uint32_t index = 0;
  while (at >= upper_[index]) ++index;
  return index;
}

}  // namespace sluice::load
