// What the command line asks for. Read once in main, constant afterwards, shared by all threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::load {

enum class Arrivals { kClosed, kConstant, kPoisson, kBursty, kTrace };

enum class Protocol { kHttp, kWebSocket };

// One kind of request: either a whole HTTP request in a file, or a body with path and headers. In a WebSocket
// run the body is one binary message. Requests of one name are counted together.
struct RequestOption {
  std::string request_file;
  std::string body_file;
  std::string path = "/";
  std::vector<std::string> headers;
  // A reply must say what one of these says.
  std::vector<std::string> expect_files;
  // The last bytes of the expected body are FP32 and may differ by the tolerance.
  uint32_t expect_float_bytes = 0;
  std::string name;
  double weight = 1;
};

// A stretch of an open loop with a rate of its own.
struct Phase {
  double rate_per_s = 0;
  double seconds = 0;
};

struct Options {
  std::string host = "127.0.0.1";
  std::string port = "8000";
  std::string ws_path = "/";
  Protocol protocol = Protocol::kHttp;
  Arrivals arrivals = Arrivals::kClosed;
  double rate_per_s = 0;
  // Instead of rate and duration; the first begins with the warm-up.
  std::vector<Phase> phases;
  std::string trace_file;
  uint32_t connections = 1;
  uint32_t threads = 1;
  // Messages that one WebSocket may have under way; always 1 for HTTP: no pipelining.
  uint32_t in_flight = 1;
  // WebSocket messages are Sluice's frames: answers are matched by id, in any order.
  bool has_frames = false;
  // The frames that leave a connection in one write leave as one message.
  bool has_bundles = false;
  double warmup_s = 0.3;
  double duration_s = 2;
  // 0: bounded by time only.
  uint64_t max_requests = 0;
  double drain_s = 2;
  // 0: none. Otherwise an answer must come within it to count as good, and a request that finds no free
  // connection within it is given up.
  double deadline_ms = 0;
  uint64_t seed = 1;
  // How long before a planned send (closed loop: after the last reply) a thread polls instead of sleeping; 0
  // where the server shares the core.
  int64_t spin_us = 100;
  bool with_steps = false;
  // Width of the timeline's slots; 0: no timeline.
  double timeline_s = 0;
  // 0: replies must be the same bytes.
  double tolerance = 0;
  bool with_progress = false;
  // Where to write each intended and each real send time.
  std::string sends_file;
  std::vector<RequestOption> requests;
};

// Throws std::runtime_error with a line for people.
Options ReadOptions(int argc, char** argv);

std::string HelpText();

}  // namespace sluice::load
