#include "request_set.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

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
      prepared.bytes =
          WsClientFrame(ReadFile(request.body_file), static_cast<uint32_t>(Random(options.seed).Next()));
    } else if (!request.request_file.empty()) {
      prepared.bytes = ReadFile(request.request_file);
    } else {
      prepared.bytes = PostRequest(options, request, ReadFile(request.body_file));
    }
    prepared.has_expected = !request.expect_file.empty();
    if (prepared.has_expected) prepared.expected_body = ReadFile(request.expect_file);
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
