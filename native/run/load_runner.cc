#include "run/load_runner.h"

#include "run/ort_model.h"

namespace sluice {

Status LoadRunner(const Ort& ort, const SessionOptions& options, std::unique_ptr<Runner>* runner) {
  std::unique_ptr<OrtModel> model;
  Status status = OrtModel::Load(ort, options, &model);
  *runner = std::move(model);
  return status;
}

}  // namespace sluice
