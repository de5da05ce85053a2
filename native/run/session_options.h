// What to open and how. Made by the binding; any thread.
#pragma once

#include <string>
#include <vector>

#include "run/load_facts.h"

namespace sluice {

struct SessionOptions {
  std::string path;
  std::string directory;  // external data must lie inside
  // Made for copies of external data while the model loads, and removed again.
  std::string private_directory;
  // Hashes that the files must have, by their names in `directory`; empty = any.
  std::vector<FileFacts> expected;
  int intra_op_threads = 1;
  int inter_op_threads = 1;
  std::vector<int> intra_op_cpus;  // one for each thread beside the caller's; empty = anywhere
  enum class Mode { kByThreads, kSequential, kParallel };
  Mode mode = Mode::kByThreads;  // parallel with more than one inter-op thread
  enum class Graph { kAll, kExtended, kBasic, kNone };
  Graph graph = Graph::kAll;  // how far the graph is optimized
  bool uses_arena = true;
  // Memory patterns cost more than they bring when the batch size changes from run to run.
  bool uses_memory_pattern = false;
  std::vector<std::string>
      providers;  // "cuda", "tensorrt", in order of preference; the CPU always comes last
};

}  // namespace sluice
