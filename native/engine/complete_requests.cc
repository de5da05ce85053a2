#include "engine/complete_requests.h"

#include "base/clock.h"
#include "engine/completion_port.h"

namespace sluice {

bool CompleteRequests(ModelVersion* version, Request* const* requests, size_t count) {
  version->stats.Ended(requests, count, NowNs());
  // Requests of one batch nearly always come from one loop.
  bool is_pending = false;
  size_t begin = 0;
  while (begin < count) {
    size_t end = begin + 1;
    while (end < count && requests[end]->port == requests[begin]->port) ++end;
    if (requests[begin]->port->Complete(requests + begin, end - begin)) is_pending = true;
    begin = end;
  }
  return is_pending;
}

}  // namespace sluice
