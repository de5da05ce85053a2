// What a request leaves in its port's pool.
#include "engine/completion_port.h"

#include "check.h"

namespace sluice {
namespace {

TEST("a request that goes back to its pool keeps nothing of the pieces that it was run in") {
  CompletionPort port([] {});
  Request* request = port.Acquire();
  request->parts.push_back(std::make_unique<AlignedBuffer>());
  request->parts[0]->Reserve(size_t{1} << 20);
  port.Release(request);
  CHECK(request->parts.empty());
}

}  // namespace
}  // namespace sluice
