// How the engine comes by a runner. A program that wants other runners (one that fails on purpose, for tests)
// defines LoadRunner itself and links the library behind it: the linker then leaves out load_runner.cc.
// Loader threads.
#pragma once

#include <memory>

#include "base/status.h"
#include "run/runner.h"
#include "run/session_options.h"

namespace sluice {

struct Ort;

Status LoadRunner(const Ort& ort, const SessionOptions& options, std::unique_ptr<Runner>* runner);

}  // namespace sluice
