// Reads a model file into memory and refuses external data outside the version's directory, before ONNX
// Runtime sees either. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "memory/aligned_buffer.h"

namespace sluice {

// Reads the whole file; refuses what is empty or no regular file.
Status ReadModelFile(const std::string& path, AlignedBuffer* bytes);

// The distinct external data locations that a serialized ModelProto names, wherever they stand (initializers,
// sparse ones, attributes, subgraphs, functions). Fails when the bytes are not a protobuf message.
Status FindExternalLocations(const uint8_t* bytes, size_t size, std::vector<std::string>* locations);

// Every location must be a plain file below `directory`: relative, no "..", no symbolic link on the way, one
// hard link.
Status CheckExternalLocations(const std::string& directory, const std::vector<std::string>& locations);

}  // namespace sluice
