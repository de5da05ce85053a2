// Opens the ONNX Runtime library: found at run time, never linked, so one addon serves any release from API
// 17 on. One per process, never closed. Any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "run/ort_api.h"

namespace sluice {

// Opens the library at `path`. A second call answers the library that is open already and fails for another
// path.
Status OpenOrt(const std::string& path, const Ort** ort);

}  // namespace sluice
