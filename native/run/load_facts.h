// What loading a model found out about its files and its memory. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

struct FileFacts {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;  // hexadecimal
};

struct LoadFacts {
  // What was loaded: the model file first, then external data.
  std::vector<FileFacts> files;
  // How much the process grew while the session was made; an estimate.
  int64_t loaded_bytes = 0;
  // A run is the work of the thread that calls it, and of nothing else.
  bool runs_on_caller = false;
};

}  // namespace sluice
