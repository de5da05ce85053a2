// How the tensors of a shadow version belong to those of its primary: by name. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "schedule/request.h"

namespace sluice {

struct SignatureMatch {
  static constexpr size_t kNone = ~size_t{0};

  std::vector<size_t> input_of;   // for each input of the shadow: the primary's
  std::vector<size_t> output_of;  // for each output of the primary: the shadow's, or kNone
};

// Refuses a shadow that cannot take the primary's requests. Outputs may differ: that is what a comparison
// tells.
Status MatchSignatures(const ModelSpec& primary, const ModelSpec& shadow, SignatureMatch* match);

// Whether tensors that the primary took (in the shadow's order) have the fixed dimensions of the shadow.
bool FitsInputs(const ModelSpec& shadow, const std::vector<RequestInput>& inputs);

}  // namespace sluice
