#include "engine/complete_requests.h"

#include "base/clock.h"
#include "engine/completion_port.h"

namespace sluice {

void CompleteRequests(ModelVersion* version, Request* const* requests, size_t count) {
  version->stats.Ended(requests, count, NowNs());
  // Requests of one batch nearly always come from one loop.
  size_t begin = 0;
  while (begin < count) {
    size_t end = begin + 1;
    while (end < count && requests[end]->port == requests[begin]->port) ++end;
    requests[begin]->port->Complete(requests + begin, end - begin);
    begin = end;
  }
}

}  // namespace sluice
