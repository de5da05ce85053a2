// sluice-load: reads the options, starts the sender threads together, merges what they counted and prints it
// as JSON.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "clock.h"
#include "options.h"
#include "report.h"
#include "request_set.h"
#include "sender.h"

namespace sluice::load {

namespace {

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
  for (std::thread& thread : threads) thread.join();

  Outcome total;
  for (const auto& sender : senders) total.Add(sender->outcome());
  const Report report = MakeReport(options, total, begin_ns + static_cast<int64_t>(options.warmup_s * 1e9));
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
