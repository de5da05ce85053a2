// The fuzz targets in short: their seeds and the same mutants every time. scripts/fuzz.mjs is the long form.
#include "../fuzz/mutate.h"
#include "check.h"

namespace sluice::test {

namespace {

constexpr int kMutants = 200'000;

void RunInShort(const FuzzTarget& target) {
  const std::vector<FuzzBytes> seeds = target.seeds();
  CHECK(!seeds.empty());
  for (const FuzzBytes& seed : seeds) target.run(seed.data(), seed.size());
  Mutator mutator(&seeds, 1);
  for (int i = 0; i < kMutants; ++i) {
    const FuzzBytes mutant = mutator.Next();
    target.run(mutant.data(), mutant.size());
  }
}

TEST("mutants of frames and of V2 bodies pass their fuzz targets") {
  for (const FuzzTarget& target : kFuzzTargets) RunInShort(target);
}

}  // namespace

}  // namespace sluice::test
