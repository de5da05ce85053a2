// The end of a request on whatever thread finished it: counted, and back to its port. Its version is held
// until the loop has taken the answer. Any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/model_version.h"
#include "schedule/request.h"

namespace sluice {

// All requests are of `version` and have their code and reply. Afterwards neither they nor the version may be
// touched: the loop may be done with both. True: a loop has not come to look yet.
bool CompleteRequests(ModelVersion* version, Request* const* requests, size_t count);

// What a run has finished, whatever became of each; as CompleteRequests. Nothing is left in `finished`.
bool CompleteFinished(std::vector<Request*>* finished);

}  // namespace sluice
