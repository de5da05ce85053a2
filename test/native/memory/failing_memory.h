// Memory that runs out on purpose: every allocation of the program is counted, and a chosen one fails. Counts
// cover all threads; arm and disarm from one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sluice::test {

// The `nth` allocation from now on fails, once; 0: none does.
void FailAllocation(int64_t nth);
// None fails any more; HasFailed stays as it is.
void StopFailing();
// Whether it has come to that.
bool HasFailed();
// Blocks that were allocated and not freed.
int64_t LiveBlocks();
// How often the allocator was told to give back what it keeps.
int64_t Trims();
// Waits until it is so, for seconds at most.
bool ComesTrue(const std::function<bool()>& condition);

// Runs `round` with its first allocation failing, then its second, and so on until it ends without reaching
// the one that would fail. A round answers what went wrong, empty for nothing, and leaves no memory behind.
// Answers what went wrong first, and in which round.
std::string SweepAllocations(const std::function<std::string()>& round, int64_t* rounds);

}  // namespace sluice::test
