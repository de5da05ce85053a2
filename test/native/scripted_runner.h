// A runner that takes the place of ONNX Runtime in programs that drive the engine without it: y = 2 x + 1,
// and a row may ask for a run that goes wrong. Linked instead of the library's own; runs on whatever thread
// runs the batch.
#pragma once

#include <cstdint>

#include "base/model_spec.h"

namespace sluice {

inline constexpr int kWidth = 4;

// x[0] is the request's own number, x[1] says how the run goes; kThrowsElsewhere: fine, but not for a model
// of kOtherPath.
enum Mood : int { kFine = 0, kFails = 1, kThrows = 2, kNoMemory = 3, kDawdles = 4, kThrowsElsewhere = 5 };

// A model that is opened from here answers 2 x + 2.
inline constexpr char kOtherPath[] = "the other";

// One input X and one output Y of kWidth floats, up to 16 rows.
ModelSpec ScriptedSpec(uint64_t serial);
// The same at any width, brought up to kWidth or kLongWidth. A batch of the first costs what a row does, one
// of the other costs more with every row.
inline constexpr int kLongWidth = 4 * kWidth;
ModelSpec PaddedSpec(uint64_t serial);

}  // namespace sluice
