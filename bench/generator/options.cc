#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace sluice::load {

namespace {

// A run bounded by a count has this long for it.
constexpr double kCountedRunLimitS = 600;

double ReadNumber(const std::string& flag, const std::string& text, double lowest) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= lowest)) {
    throw std::runtime_error("expected a number of at least " + std::to_string(lowest) + " for " + flag +
                             ", got \"" + text + "\"");
  }
  return value;
}

Arrivals ReadArrivals(const std::string& text) {
  if (text == "closed") return Arrivals::kClosed;
  if (text == "constant") return Arrivals::kConstant;
  if (text == "poisson") return Arrivals::kPoisson;
  if (text == "bursty") return Arrivals::kBursty;
  if (text == "trace") return Arrivals::kTrace;
  throw std::runtime_error("expected closed, constant, poisson, bursty or trace for --mode, got \"" + text +
                           "\"");
}

// http://host:port or ws://host:port/path.
void ReadUrl(const std::string& text, Options* options) {
  std::string rest = text;
  const auto starts = [&](const char* prefix) { return rest.rfind(prefix, 0) == 0; };
  if (starts("ws://")) {
    options->protocol = Protocol::kWebSocket;
    rest = rest.substr(5);
  } else if (starts("http://")) {
    rest = rest.substr(7);
  } else {
    throw std::runtime_error("expected a URL that begins with http:// or ws://, got \"" + text + "\"");
  }
  const size_t slash = rest.find('/');
  if (slash != std::string::npos) options->ws_path = rest.substr(slash);
  const std::string address = rest.substr(0, slash);
  const size_t colon = address.rfind(':');
  options->host = address.substr(0, colon);
  options->port = colon == std::string::npos ? "80" : address.substr(colon + 1);
}

RequestOption* LastRequest(const std::string& flag, Options* options) {
  if (options->requests.empty())
    throw std::runtime_error(flag + " belongs after the --request or --body it describes");
  return &options->requests.back();
}

bool ReadRequestFlag(const std::string& flag, const std::string& value, Options* options) {
  if (flag == "--request") {
    options->requests.emplace_back().request_file = value;
  } else if (flag == "--body") {
    options->requests.emplace_back().body_file = value;
  } else if (flag == "--path") {
    LastRequest(flag, options)->path = value;
  } else if (flag == "--header") {
    LastRequest(flag, options)->headers.push_back(value);
  } else if (flag == "--expect") {
    LastRequest(flag, options)->expect_file = value;
  } else if (flag == "--weight") {
    LastRequest(flag, options)->weight = ReadNumber(flag, value, 0);
  } else {
    return false;
  }
  return true;
}

bool ReadRunFlag(const std::string& flag, const std::string& value, Options* options) {
  const auto number = [&](double lowest) { return ReadNumber(flag, value, lowest); };
  if (flag == "--mode") {
    options->arrivals = ReadArrivals(value);
  } else if (flag == "--rate") {
    options->rate_per_s = number(1e-3);
  } else if (flag == "--trace") {
    options->trace_file = value;
  } else if (flag == "--connections") {
    options->connections = static_cast<uint32_t>(number(1));
  } else if (flag == "--threads") {
    options->threads = static_cast<uint32_t>(number(1));
  } else if (flag == "--in-flight") {
    options->in_flight = static_cast<uint32_t>(number(1));
  } else if (flag == "--warmup-s") {
    options->warmup_s = number(0);
  } else if (flag == "--duration-s") {
    options->duration_s = number(0.01);
  } else if (flag == "--requests") {
    options->max_requests = static_cast<uint64_t>(number(1));
    options->duration_s = std::max(options->duration_s, kCountedRunLimitS);
  } else if (flag == "--drain-s") {
    options->drain_s = number(0);
  } else if (flag == "--seed") {
    options->seed = static_cast<uint64_t>(number(0));
  } else if (flag == "--spin-us") {
    options->spin_us = static_cast<int64_t>(number(0));
  } else {
    return false;
  }
  return true;
}

void Check(Options* options) {
  const bool is_open = options->arrivals != Arrivals::kClosed && options->arrivals != Arrivals::kTrace;
  if (options->requests.empty()) throw std::runtime_error("expected at least one --request or --body");
  if (is_open && options->rate_per_s == 0) throw std::runtime_error("an open-loop --mode needs --rate");
  if (options->arrivals == Arrivals::kTrace && options->trace_file.empty()) {
    throw std::runtime_error("--mode trace needs --trace");
  }
  if (options->protocol == Protocol::kHttp && options->in_flight != 1) {
    throw std::runtime_error("--in-flight is for ws:// only: HTTP requests are not pipelined");
  }
  options->threads = std::min(options->threads, options->connections);
}

}  // namespace

Options ReadOptions(int argc, char** argv) {
  Options options;
  bool has_url = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag.rfind("--", 0) != 0) {
      ReadUrl(flag, &options);
      has_url = true;
      continue;
    }
    if (flag == "--steps") {
      options.with_steps = true;
      continue;
    }
    if (i + 1 >= argc) throw std::runtime_error("expected a value for " + flag);
    const std::string value = argv[++i];
    if (!ReadRequestFlag(flag, value, &options) && !ReadRunFlag(flag, value, &options)) {
      throw std::runtime_error("unknown option " + flag + " (see --help)");
    }
  }
  if (!has_url) throw std::runtime_error("expected a URL, for example http://127.0.0.1:8000");
  Check(&options);
  return options;
}

std::string HelpText() {
  return
      R"(sluice-load URL [options] {--request FILE | --body FILE [--path P] [--header 'K: V']...} [--expect FILE] [--weight W] ...
  URL                 http://host:port, or ws://host:port/path for binary WebSocket messages
  --request FILE      a whole HTTP request, sent as it is
  --body FILE         a body to POST to --path (or one WebSocket message); more requests may follow, chosen by --weight
  --expect FILE       the reply's body must be these bytes
  --mode M            closed (default: the ceiling), or open loop: constant, poisson, bursty, trace
  --rate N            offered requests per second (open loop)
  --trace FILE        send times in microseconds from the start, one a line (--mode trace)
  --connections N --threads N --in-flight K (WebSocket messages under way per socket)
  --warmup-s S --duration-s S --requests N --drain-s S
  --seed N            arrivals and choice of requests
  --spin-us N         poll instead of sleep this long before a planned send, or after the last reply of a closed loop
                      (default 100; 0 where the server shares the core)
  --steps             add the histogram's steps to the result
The result is one JSON object on standard output. Exit: 0 done, 1 could not run, 2 done but not a valid measurement.
)";
}

}  // namespace sluice::load
