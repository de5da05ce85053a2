// Cuts what one run made back into the rows of each request. The thread that ran the batch.
#pragma once

#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "codec/output_rows.h"
#include "engine/cut_padding.h"
#include "run/runner.h"
#include "schedule/request.h"

namespace sluice {

// Whether every output has the batch that went in, and the length where it follows a padded input. `request`
// is any of the run.
Status CheckOutputs(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
                    const Request& request);

class RowCutter {
 public:
  // All of them must outlive the cutter; `parts` and `padded` are memory to use.
  RowCutter(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows,
            std::vector<OutputRows>* parts, std::vector<PaddedOutput>* padded);

  // The outputs of the next request's piece, in the model's order; good until the next call.
  const std::vector<OutputRows>& Next(const Request& request);

 private:
  const ModelSpec& spec_;
  const std::vector<RunTensor>& outputs_;
  const int64_t rows_;
  std::vector<OutputRows>* const parts_;
  std::vector<PaddedOutput>* const padded_;
};

}  // namespace sluice
