// A version's files are taken private before anything looks into them: the model into memory, external data
// into copies in a folder of our own that nobody else writes. What was hashed is what is loaded, whatever
// happens to the originals. Loader threads.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "memory/aligned_buffer.h"
#include "run/load_facts.h"

namespace sluice {

// Opens a regular file inside `directory` without following a link on the way. The caller closes it.
Status OpenInside(const std::string& directory, const std::string& location, int* file);

// The whole file, read once. Fails where it changes meanwhile.
Status ReadWhole(const std::string& path, AlignedBuffer* bytes, FileFacts* facts);

// Copies of external data for the time of one load; removed with the object. ONNX Runtime keeps what it has
// mapped of them.
class PrivateCopies {
 public:
  // `folder` is made; it must not exist yet.
  explicit PrivateCopies(std::string folder) : folder_(std::move(folder)) {}
  ~PrivateCopies();
  PrivateCopies(const PrivateCopies&) = delete;
  PrivateCopies& operator=(const PrivateCopies&) = delete;

  // A second name of a file that is there already adds nothing.
  Status Add(const std::string& directory, const std::string& location, std::vector<FileFacts>* facts);

 private:
  std::string folder_;
  bool is_made_ = false;
};

}  // namespace sluice
