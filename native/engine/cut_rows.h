// Cuts what one run made back into the rows of each request. The thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "run/runner.h"

namespace sluice {

// Whether every output has the batch that went in.
Status CheckOutputs(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows);

class RowCutter {
 public:
  // All of them must outlive the cutter; `parts` is memory to use.
  RowCutter(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
            std::vector<OutputRows>* parts);

  // The outputs of the next request, in the model's order; good until the next call.
  const std::vector<OutputRows>& Next(int64_t request_rows);

 private:
  const ModelSpec& spec_;
  const std::vector<RunTensor>& outputs_;
  const int64_t rows_;
  std::vector<OutputRows>* const parts_;
};

}  // namespace sluice
