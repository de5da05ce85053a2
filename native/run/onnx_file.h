// What a model file names outside of itself, found before ONNX Runtime sees it. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace sluice {

// The distinct external data locations that a serialized ModelProto names, wherever they stand (initializers,
// sparse ones, attributes, subgraphs, functions). Fails when the bytes are not a protobuf message.
Status FindExternalLocations(const uint8_t* bytes, size_t size, std::vector<std::string>* locations);

}  // namespace sluice
