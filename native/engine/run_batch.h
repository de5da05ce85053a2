// Runs one batch and encodes its replies: gather rows, one session run, cut the outputs back to each request,
// encode. Worker thread, or the event loop for inline versions.
#pragma once

#include <vector>

#include "engine/model_version.h"
#include "schedule/version_queue.h"

namespace sluice {

// Afterwards every request of the batch has its code, and its reply once all of its rows have been run; none
// is completed yet. A failing run of several requests is repeated once per request, so that it fails only
// those that make it fail; so is one that finds no memory. Nobody's run is repeated who is gone or too late.
// Answers the time spent, ns.
int64_t RunBatch(ModelVersion* version, Batch* batch, int64_t now_ns) noexcept;

}  // namespace sluice
