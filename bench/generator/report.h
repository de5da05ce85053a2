// The result as one JSON object, with the judgement whether it is a measurement of the server or of the
// generator.
#pragma once

#include <string>
#include <vector>

#include "options.h"
#include "outcome.h"

namespace sluice::load {

struct Report {
  std::string json;
  bool is_valid = false;
};

Report MakeReport(const Options& options, const std::vector<std::string>& group_names, const Outcome& outcome,
                  int64_t measure_begin_ns);

}  // namespace sluice::load
