#include "run/ort_api.h"

#include <memory>

namespace sluice {

Status TakeOrtStatus(const Ort& ort, OrtStatus* status, Code code) {
  if (status == nullptr) return Status();
  const std::unique_ptr<OrtStatus, void (*)(OrtStatus*)> owned(status, ort.api->ReleaseStatus);
  return Status(code, ort.api->GetErrorMessage(status));
}

}  // namespace sluice
