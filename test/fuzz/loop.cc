// Drives the target of entry.cc without libFuzzer: replays the files of a folder, then mutates them without
// feedback. Usage: loop [-max_total_time=SECONDS] [-runs=N] [-seed=N] FOLDER ...    loop -plant FOLDER writes
// the seeds there. An input that the sanitizer reports is left in ./crash-input.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "mutate.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);
const sluice::test::FuzzTarget& ChosenTarget();

namespace {

using sluice::test::FuzzBytes;

FuzzBytes current;

void Write(const std::string& path, const FuzzBytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

[[maybe_unused]] void SaveCurrent() { Write("crash-input", current); }

void Run(const FuzzBytes& bytes) {
  current = bytes;
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

int Plant(const std::string& folder) {
  int number = 0;
  for (const FuzzBytes& seed : ChosenTarget().seeds())
    Write(folder + "/seed-" + std::to_string(number++), seed);
  return 0;
}

bool TakeNumber(const std::string& word, const std::string& name, uint64_t* number) {
  if (word.rfind(name, 0) != 0) return false;
  *number = std::strtoull(word.c_str() + name.size(), nullptr, 10);
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count == 3 && std::string(words[1]) == "-plant") return Plant(words[2]);
  std::vector<FuzzBytes> corpus;
  uint64_t seconds = 0, runs = 0, seed = 1;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (TakeNumber(word, "-max_total_time=", &seconds) || TakeNumber(word, "-runs=", &runs) ||
        TakeNumber(word, "-seed=", &seed))
      continue;
    for (const auto& entry : std::filesystem::directory_iterator(word)) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(SaveCurrent);
#endif
  if (corpus.empty()) return 2;
  for (const FuzzBytes& bytes : corpus) Run(bytes);
  uint64_t executions = corpus.size();
  sluice::test::Mutator mutator(&corpus, seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  const auto goes_on = [&] {
    if (runs > 0 && executions >= runs) return false;
    return seconds > 0 ? std::chrono::steady_clock::now() < end : runs > 0;
  };
  for (; goes_on(); ++executions) Run(mutator.Next());
  std::printf("stat::number_of_executed_units: %llu\n", static_cast<unsigned long long>(executions));
  return 0;
}
