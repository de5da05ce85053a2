// The way back from a padded run: outputs that are as long as the padded inputs are cut to the length of each
// request. The thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "memory/aligned_buffer.h"
#include "run/runner.h"
#include "schedule/request.h"

namespace sluice {

// How much of what was gathered is there only to fill up; the masks are not counted.
struct PaddingCount {
  int64_t elements = 0;  // all of them
  int64_t padding = 0;
};
PaddingCount CountPadding(const ModelSpec& spec, Request* const* requests, size_t count);

// Whether every output that follows a rule has the length that went in. `request` is any of the run.
Status CheckLengths(const ModelSpec& spec, const std::vector<RunTensor>& outputs, const Request& request);

// One output of a run, whose rows are handed out request by request.
class PaddedOutput {
 public:
  void Start(const ModelSpec& spec, const TensorSpec& tensor, const RunTensor& whole);
  // The rows of the next request, at its own length: `own` is their shape as the model has it. The bytes lie
  // in the output itself where they are together there, else in memory of this object until the next call.
  void Next(const Request& request, Dims* own, OutputRows* part);
  size_t KeptBytes() const { return cut_.capacity(); }

 private:
  const ModelSpec* spec_ = nullptr;
  const TensorSpec* tensor_ = nullptr;
  Dims dims_;
  const uint8_t* at_ = nullptr;
  AlignedBuffer cut_;
};

}  // namespace sluice
