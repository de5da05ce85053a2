// AnswerTap: somebody beside the client who wants an answer, too (a shadow). A request carries one or none.
#pragma once

#include <vector>

#include "codec/output_rows.h"
#include "schedule/request.h"

namespace sluice {

class AnswerTap {
 public:
  virtual ~AnswerTap() = default;
  // On the thread that ran the batch, once the reply is encoded and before the request is completed.
  // `outputs` live during the call; the request's `tensors` and `body` may be taken in exchange for others.
  // Must neither block nor throw. A request that fails or is cancelled before its run is never told.
  virtual void Answered(Request* request, const std::vector<OutputRows>& outputs, int64_t run_ns) = 0;
};

}  // namespace sluice
