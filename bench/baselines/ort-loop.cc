// The bare ONNX Runtime loop: what the same library, session options and threads give when nothing else is to
// be done. Usage: ort-loop LIBRARY MODEL [--threads K] [--batches 1,2,4] [--duration-s S]; prints JSON,
// rows/s and CPU per batch size.
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ort-loop-session.h"

namespace sluice::bench {

namespace {

constexpr int kWarmUpRuns = 3;

struct LoopOptions {
  std::string library;
  std::string model;
  int threads = 1;
  double duration_s = 1;
  std::vector<int64_t> batches = {1, 2, 4, 8, 16, 32, 64};
};

struct LoopResult {
  int64_t rows_per_run = 0;
  double rows_per_s = 0;
  double cpu_us_per_row = 0;
  double run_us = 0;
};

// Not a yield: some schedulers hold every yield against the thread, and starve it once it wants to work.
void Rest() { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

double SecondsOf(clockid_t clock) {
  timespec at;
  clock_gettime(clock, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

LoopResult Measure(const LoopSession& session, const LoopOptions& options, int64_t rows) {
  std::atomic<int> ready{0};
  std::atomic<bool> may_begin{false};
  std::atomic<bool> must_end{false};
  std::vector<uint64_t> runs(static_cast<size_t>(options.threads));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < runs.size(); ++i) {
    threads.emplace_back([&, i] {
      LoopCaller caller(session, rows, static_cast<uint32_t>(i + 1));
      for (int k = 0; k < kWarmUpRuns; ++k) caller.Run();
      ready.fetch_add(1);
      while (!may_begin.load()) Rest();
      uint64_t count = 0;
      while (!must_end.load(std::memory_order_relaxed)) {
        caller.Run();
        ++count;
      }
      runs[i] = count;
    });
  }
  while (ready.load() < options.threads) Rest();
  const double wall_begin = SecondsOf(CLOCK_MONOTONIC);
  const double cpu_begin = SecondsOf(CLOCK_PROCESS_CPUTIME_ID);
  may_begin.store(true);
  std::this_thread::sleep_for(std::chrono::duration<double>(options.duration_s));
  must_end.store(true);
  for (std::thread& thread : threads) thread.join();
  const double wall_s = SecondsOf(CLOCK_MONOTONIC) - wall_begin;
  const double cpu_s = SecondsOf(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
  double total = 0;
  for (const uint64_t count : runs) total += static_cast<double>(count);
  const double total_rows = total * static_cast<double>(rows);
  return {rows, total_rows / wall_s, cpu_s / total_rows * 1e6, wall_s / total * options.threads * 1e6};
}

LoopOptions ReadOptions(int argc, char** argv) {
  LoopOptions options;
  if (argc < 3)
    throw std::runtime_error(
        "expected: ort-loop LIBRARY MODEL [--threads K] [--batches LIST] [--duration-s S]");
  options.library = argv[1];
  options.model = argv[2];
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--threads") {
      options.threads = std::atoi(argv[i + 1]);
    } else if (flag == "--duration-s") {
      options.duration_s = std::atof(argv[i + 1]);
    } else if (flag == "--batches") {
      options.batches.clear();
      std::istringstream list(argv[i + 1]);
      for (std::string one; std::getline(list, one, ',');) options.batches.push_back(std::atoll(one.c_str()));
    } else {
      throw std::runtime_error("unknown option " + flag);
    }
  }
  return options;
}

void RunLoop(const LoopOptions& options) {
  const LoopSession session(options.library, options.model);
  std::printf("{\"onnxruntime\":\"%s\",\"threads\":%d,\"batches\":[", session.version.c_str(),
              options.threads);
  LoopResult best;
  for (const int64_t rows : options.batches) {
    const LoopResult result = Measure(session, options, rows);
    std::printf("%s{\"rows\":%lld,\"rowsPerS\":%.6g,\"cpuUsPerRow\":%.6g,\"runUs\":%.6g}",
                rows == options.batches[0] ? "" : ",", static_cast<long long>(result.rows_per_run),
                result.rows_per_s, result.cpu_us_per_row, result.run_us);
    if (result.rows_per_s > best.rows_per_s) best = result;
  }
  std::printf("],\"best\":{\"rows\":%lld,\"rowsPerS\":%.6g,\"cpuUsPerRow\":%.6g}}\n",
              static_cast<long long>(best.rows_per_run), best.rows_per_s, best.cpu_us_per_row);
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) {
  try {
    sluice::bench::RunLoop(sluice::bench::ReadOptions(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ort-loop: %s\n", error.what());
    return 1;
  }
}
