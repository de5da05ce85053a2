// What is fuzzed: each target takes any bytes, and ends the process where what a decoder let through is not
// what it says. Not for two threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::test {

using FuzzBytes = std::vector<uint8_t>;

struct FuzzTarget {
  const char* name;
  void (*run)(const uint8_t* bytes, size_t size);
  std::vector<FuzzBytes> (*seeds)();
};

// A WebSocket message.
void FuzzFrame(const uint8_t* bytes, size_t size);
std::vector<FuzzBytes> FrameSeeds();
// A V2 infer body in JSON.
void FuzzV2Json(const uint8_t* bytes, size_t size);
std::vector<FuzzBytes> V2JsonSeeds();
// A V2 infer body with binary tensors; its first two bytes are the length of the JSON part, and no part of
// the body.
void FuzzV2Binary(const uint8_t* bytes, size_t size);
std::vector<FuzzBytes> V2BinarySeeds();

inline constexpr FuzzTarget kFuzzTargets[] = {
    {"frame", FuzzFrame, FrameSeeds},
    {"v2-json", FuzzV2Json, V2JsonSeeds},
    {"v2-binary", FuzzV2Binary, V2BinarySeeds},
};

}  // namespace sluice::test
