// The padding rules of a serving plan, once, at the edge. Loop thread.
#pragma once

#include <napi.h>

#include "base/model_spec.h"

namespace sluice {

// Reads `plan.padding`; `spec` has its tensors already. Throws Napi::Error where the two do not fit: the
// configuration was checked before.
void ReadPadding(const Napi::Object& plan, ModelSpec* spec);

}  // namespace sluice
