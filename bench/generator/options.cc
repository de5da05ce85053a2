#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
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

// RATE:SECONDS.
Phase ReadPhase(const std::string& flag, const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw std::runtime_error("expected RATE:SECONDS for " + flag + ", got \"" + text + "\"");
  }
  return {ReadNumber(flag, text.substr(0, colon), 1e-3), ReadNumber(flag, text.substr(colon + 1), 0.01)};
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
    LastRequest(flag, options)->expect_files.push_back(value);
  } else if (flag == "--weight") {
    LastRequest(flag, options)->weight = ReadNumber(flag, value, 0);
  } else if (flag == "--name") {
    LastRequest(flag, options)->name = value;
  } else if (flag == "--expect-float-bytes") {
    LastRequest(flag, options)->expect_float_bytes = static_cast<uint32_t>(ReadNumber(flag, value, 0));
  } else {
    return false;
  }
  return true;
}

bool ReadResultFlag(const std::string& flag, const std::string& value, Options* options) {
  const auto number = [&](double lowest) { return ReadNumber(flag, value, lowest); };
  if (flag == "--timeline-s") {
    options->timeline_s = number(0.01);
  } else if (flag == "--tolerance") {
    options->tolerance = number(0);
  } else if (flag == "--sends") {
    options->sends_file = value;
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
  } else if (flag == "--phase") {
    options->phases.push_back(ReadPhase(flag, value));
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
  } else if (flag == "--deadline-ms") {
    options->deadline_ms = number(1e-3);
  } else if (flag == "--seed") {
    options->seed = static_cast<uint64_t>(number(0));
  } else if (flag == "--spin-us") {
    options->spin_us = static_cast<int64_t>(number(0));
  } else {
    return ReadResultFlag(flag, value, options);
  }
  return true;
}

void Check(Options* options) {
  const bool needs_rate = options->arrivals != Arrivals::kClosed && options->arrivals != Arrivals::kTrace;
  if (options->requests.empty()) throw std::runtime_error("expected at least one --request or --body");
  if (!options->phases.empty()) {
    if (!needs_rate) throw std::runtime_error("--phase needs --mode constant, poisson or bursty");
    double seconds = 0;
    for (const Phase& phase : options->phases) seconds += phase.seconds;
    options->duration_s = seconds - options->warmup_s;
    if (!(options->duration_s > 0)) throw std::runtime_error("the phases must be longer than --warmup-s");
  } else if (needs_rate && options->rate_per_s == 0) {
    throw std::runtime_error("an open-loop --mode needs --rate or --phase");
  }
  if (options->arrivals == Arrivals::kTrace && options->trace_file.empty()) {
    throw std::runtime_error("--mode trace needs --trace");
  }
  if (options->protocol == Protocol::kHttp && options->in_flight != 1) {
    throw std::runtime_error("--in-flight is for ws:// only: HTTP requests are not pipelined");
  }
  if (options->protocol == Protocol::kHttp && options->has_frames)
    throw std::runtime_error("--frames is for ws:// only");
  if (options->has_bundles && (!options->has_frames || options->arrivals != Arrivals::kClosed))
    throw std::runtime_error("--bundles needs --frames and --mode closed");
  options->threads = std::min(options->threads, options->connections);
}

bool ReadSwitch(const std::string& flag, Options* options) {
  if (flag == "--steps") return options->with_steps = true;
  if (flag == "--progress") return options->with_progress = true;
  if (flag == "--frames") return options->has_frames = true;
  if (flag == "--bundles") return options->has_bundles = true;
  return false;
}

// Words of the command line, with @FILE replaced by the lines of that file.
std::vector<std::string> Words(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.empty() || word[0] != '@') {
      words.push_back(word);
      continue;
    }
    std::ifstream file(word.substr(1));
    if (!file) throw std::runtime_error("cannot read the options in " + word.substr(1));
    for (std::string line; std::getline(file, line);) words.push_back(line);
  }
  return words;
}

}  // namespace

Options ReadOptions(int argc, char** argv) {
  Options options;
  bool has_url = false;
  const std::vector<std::string> words = Words(argc, argv);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& flag = words[i];
    if (flag.rfind("--", 0) != 0) {
      ReadUrl(flag, &options);
      has_url = true;
      continue;
    }
    if (ReadSwitch(flag, &options)) continue;
    if (i + 1 >= words.size()) throw std::runtime_error("expected a value for " + flag);
    const std::string& value = words[++i];
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
  @FILE               options from a file, one word a line
 requests, each with what follows it:
  --request FILE      a whole HTTP request, sent as it is
  --body FILE         a body to POST to --path (or one WebSocket message; the first one's headers go
                      with the upgrade); more requests may follow
  --weight W          how often it is chosen beside the others (default 1)
  --name N            requests of one name are counted together, apart from the others
  --expect FILE       the reply's body must be these bytes, or within --tolerance X of them: numbers in text are
                      compared as numbers, and the last --expect-float-bytes N of the body as FP32; repeated: one of
                      them, and the result counts which, with the times when the first and the last was sent
 load:
  --mode M            closed (default: the ceiling), or open loop: constant, poisson, bursty, trace
  --rate N            offered requests per second (open loop)
  --phase RATE:S      instead: stretches of S seconds with a rate each; repeat for more, the first begins with the warm-up
  --trace FILE        one send a line: microseconds from the start, and which request, from 0 (left out: by weight)
  --connections N --threads N --in-flight K (WebSocket messages under way per socket)
  --frames            WebSocket messages are Sluice's frames (schemas/inference.fbs): each gets an id of its own, answers may
                      come in any order
  --bundles           frames that can leave a socket together leave as one message, for a server that takes bundles
  --warmup-s S --duration-s S --requests N --drain-s S
  --deadline-ms D     answers within D of the intended send time are good; a request without a free connection by then
                      is given up
  --seed N            arrivals and choice of requests
  --spin-us N         poll instead of sleep this long before a planned send, or after the last reply of a closed loop
                      (default 100; 0 where the server shares the core)
 result, one JSON object on standard output:
  --steps             with the histograms' steps
  --timeline-s S      with counts and percentiles of every S seconds
  --sends FILE        every intended and real send time in ns from the start, one pair a line
  --progress          a line a second on standard error
Exit: 0 done, 1 could not run, 2 done but not a valid measurement.
)";
}

}  // namespace sluice::load
