#include "engine/complete_requests.h"

#include "base/clock.h"
#include "engine/completion_port.h"
#include "engine/refusal.h"

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

bool CompleteFinished(std::vector<Request*>* finished) {
  if (finished->empty()) return false;
  for (Request* request : *finished) {
    if (request->early_code != Code::kOk) {
      request->code = request->early_code;
    } else if (request->rows_left() > 0 && request->code == Code::kOk) {
      FailDropped(&request, 1);
    }
  }
  auto* version = static_cast<ModelVersion*>(finished->front()->version);
  const bool is_pending = CompleteRequests(version, finished->data(), finished->size());
  finished->clear();
  return is_pending;
}

}  // namespace sluice
