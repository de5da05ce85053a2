// sluice-load: reads the options, starts the sender threads together, merges what they counted and prints it
// as JSON.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "clock.h"
#include "options.h"
#include "report.h"
#include "request_set.h"
#include "sender.h"

namespace sluice::load {

namespace {

void WriteSends(const std::string& path, std::vector<std::pair<int64_t, int64_t>> sends) {
  std::sort(sends.begin(), sends.end());
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw std::runtime_error("cannot write " + path);
  for (const auto& [intended_ns, sent_ns] : sends)
    std::fprintf(file, "%lld %lld\n", static_cast<long long>(intended_ns), static_cast<long long>(sent_ns));
  std::fclose(file);
}

// Tells every second how far the run is.
class Progress {
 public:
  explicit Progress(const std::vector<std::unique_ptr<Sender>>& senders)
      : thread_([this, &senders](std::stop_token stop) { Tell(stop, senders); }) {}

 private:
  void Tell(std::stop_token stop, const std::vector<std::unique_ptr<Sender>>& senders) {
    std::mutex mutex;
    std::condition_variable_any wake;
    for (int second = 1;; ++second) {
      std::unique_lock lock(mutex);
      if (wake.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; }) || stop.stop_requested())
        return;
      uint64_t answered = 0;
      for (const auto& sender : senders) answered += sender->answered();
      std::fprintf(stderr, "progress %d %llu\n", second, static_cast<unsigned long long>(answered));
    }
  }

  std::jthread thread_;
};

int RunLoad(const Options& options) {
  const RequestSet requests(options);
  const Address address = Resolve(options.host, options.port);
  std::atomic<uint32_t> connected{0};
  std::atomic<int64_t> start_ns{0};
  std::vector<std::unique_ptr<Sender>> senders;
  for (uint32_t i = 0; i < options.threads; ++i) {
    senders.push_back(std::make_unique<Sender>(options, requests, address, i, &connected, &start_ns));
  }
  std::vector<std::thread> threads;
  for (const auto& sender : senders) threads.emplace_back([&sender] { sender->Run(); });
  while (connected.load() < options.threads) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const int64_t begin_ns = NowNs() + 1'000'000;
  start_ns.store(begin_ns, std::memory_order_release);
  std::optional<Progress> progress;
  if (options.with_progress) progress.emplace(senders);
  for (std::thread& thread : threads) thread.join();
  progress.reset();

  Outcome total;
  for (const auto& sender : senders) total.Add(sender->outcome());
  if (!options.sends_file.empty()) WriteSends(options.sends_file, std::move(total.sends));
  const Report report =
      MakeReport(options, requests.groups(), total, begin_ns + static_cast<int64_t>(options.warmup_s * 1e9));
  std::printf("%s\n", report.json.c_str());
  return report.is_valid ? 0 : 2;
}

}  // namespace

}  // namespace sluice::load

int main(int argc, char** argv) {
  if (argc < 2 || std::strcmp(argv[1], "--help") == 0) {
    std::fputs(sluice::load::HelpText().c_str(), argc < 2 ? stderr : stdout);
    return argc < 2 ? 1 : 0;
  }
  try {
    return sluice::load::RunLoad(sluice::load::ReadOptions(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice-load: %s\n", error.what());
    return 1;
  }
}
