// What to open and how. Made by the binding; any thread.
#pragma once

#include <string>
#include <vector>

namespace sluice {

struct SessionOptions {
  std::string path;
  std::string directory;  // external data must lie inside
  int intra_op_threads = 1;
  int inter_op_threads = 1;
  std::vector<std::string>
      providers;  // "cuda", "tensorrt", in order of preference; the CPU always comes last
};

}  // namespace sluice
