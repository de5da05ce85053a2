// What a batch is gathered from where a request is run piece by piece.
#include "run/batch_input.h"

#include <string>
#include <vector>

#include "check.h"
#include "frames.h"
#include "specs.h"

namespace sluice::test {
namespace {

std::vector<uint8_t> Gathered(BatchInput* input, Request* request, int64_t done_rows, int64_t part_rows) {
  request->done_rows = done_rows;
  request->part_rows = part_rows;
  const RunTensor& tensor = input->Gather(&request, 1, part_rows)[0];
  return {tensor.bytes, tensor.bytes + tensor.byte_count};
}

TEST("a piece of strings is found from the piece before it, not from the first row on") {
  const ModelSpec spec = OneInput(DataType::kBytes, {1});
  BatchInput input(spec);
  const std::vector<std::string> texts = {"a", "bc", "", "def", "g", "hi", "jkl", "m"};
  std::vector<uint8_t> bytes = BytesOfStrings(texts);
  Request request;
  request.rows = static_cast<int64_t>(texts.size());
  request.inputs.resize(1);
  request.inputs[0].bytes = bytes.data();
  request.inputs[0].byte_count = bytes.size();
  request.inputs[0].elements = request.rows;
  request.inputs[0].dims.Push(1);

  CHECK(Gathered(&input, &request, 0, 2) == BytesOfStrings({"a", "bc"}));
  CHECK(Gathered(&input, &request, 2, 2) == BytesOfStrings({"", "def"}));
  // Whoever looked at the first row again would now go past the second with it.
  const uint8_t length = bytes[0];
  bytes[0] = 1 + 4 + 2;
  CHECK(Gathered(&input, &request, 4, 2) == BytesOfStrings({"g", "hi"}));
  CHECK(Gathered(&input, &request, 4, 1) == BytesOfStrings({"g"}));
  CHECK(Gathered(&input, &request, 5, 2) == BytesOfStrings({"hi", "jkl"}));
  bytes[0] = length;
  CHECK(Gathered(&input, &request, 0, 3) == BytesOfStrings({"a", "bc", ""}));
}

}  // namespace
}  // namespace sluice::test
