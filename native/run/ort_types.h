// ONNX element types and ours. Constants only; any thread.
#pragma once

#include "base/data_type.h"
#include "run/ort_api.h"

namespace sluice {

// Both directions answer "invalid" for what V2 has no word for (complex, 8-bit floats, 4-bit integers).
DataType DataTypeFromOnnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType DataTypeToOnnx(DataType type);

}  // namespace sluice
