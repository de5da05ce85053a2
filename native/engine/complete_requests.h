// The end of a request on whatever thread finished it: back to its port, and its version is held no longer.
// Any thread.
#pragma once

#include <cstddef>

#include "engine/model_version.h"
#include "schedule/request.h"

namespace sluice {

// All requests are of `version` and have their code and reply. Afterwards neither they nor the version may be
// touched.
void CompleteRequests(ModelVersion* version, Request* const* requests, size_t count);

}  // namespace sluice
