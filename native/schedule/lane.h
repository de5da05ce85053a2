// Lane: requests of one version that may share a run and stand at the same level, in the order of arrival. A
// list through the requests themselves, so that one leaves from the middle at once. Guarded by the
// scheduler's mutex; holds requests, frees none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "schedule/request.h"

namespace sluice {

struct Lane {
  Request* first = nullptr;
  Request* last = nullptr;
  int level = 1;
  bool is_delayed = false;  // requests whose queue timeout passed, behind all others of the level
  int64_t rows = 0;
  int64_t held_since_ns = 0;  // since when the policy keeps it waiting for company; 0 = it does not
  int64_t earliest_deadline_ns = kNever;  // never later than the true one

  bool is_empty() const { return first == nullptr; }

  void PushBack(Request* request) {
    request->lane = this;
    request->previous = last;
    request->next = nullptr;
    (last == nullptr ? first : last->next) = request;
    last = request;
    Count(request);
  }
  void PushFront(Request* request) {
    request->lane = this;
    request->previous = nullptr;
    request->next = first;
    (first == nullptr ? last : first->previous) = request;
    first = request;
    Count(request);
  }
  void Remove(Request* request) {
    (request->previous == nullptr ? first : request->previous->next) = request->next;
    (request->next == nullptr ? last : request->next->previous) = request->previous;
    request->previous = nullptr;
    request->next = nullptr;
    request->lane = nullptr;
    rows -= request->rows_left();
  }

 private:
  void Count(Request* request) {
    rows += request->rows_left();
    earliest_deadline_ns = std::min(earliest_deadline_ns, request->deadline_ns);
  }
};

// Whether two requests of one version may stand in the same batch.
bool MayShareRun(const Request& a, const Request& b);

}  // namespace sluice
