// The entry that libFuzzer knows; the environment variable SLUICE_FUZZ_TARGET has the name of the target.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "targets.h"

using sluice::test::FuzzTarget;

const FuzzTarget& ChosenTarget() {
  const char* name = std::getenv("SLUICE_FUZZ_TARGET");
  for (const FuzzTarget& target : sluice::test::kFuzzTargets) {
    if (name != nullptr && std::strcmp(target.name, name) == 0) return target;
  }
  std::fprintf(stderr, "expected the name of a target in SLUICE_FUZZ_TARGET, got %s\n", name ? name : "none");
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const FuzzTarget& target = ChosenTarget();
  target.run(bytes, size);
  return 0;
}
