// The V2 data types. Numbers are those of Triton's ModelConfig enum, shared with src/core/data-types.ts and
// compared at load. Any thread; constants only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

enum class DataType : uint8_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,
  kBf16 = 14,
};

struct DataTypeRow {
  std::string_view name;
  size_t bytes;  // per element; 0 = variable
};

inline constexpr DataTypeRow kDataTypes[] = {
    {"", 0},       {"BOOL", 1}, {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4},
    {"UINT64", 8}, {"INT8", 1}, {"INT16", 2}, {"INT32", 4},  {"INT64", 8},
    {"FP16", 2},   {"FP32", 4}, {"FP64", 8},  {"BYTES", 0},  {"BF16", 2},
};
inline constexpr int kDataTypeCount = 15;

inline std::string_view DataTypeName(DataType type) { return kDataTypes[static_cast<int>(type)].name; }
inline size_t DataTypeBytes(DataType type) { return kDataTypes[static_cast<int>(type)].bytes; }

inline DataType DataTypeFromName(std::string_view name) {
  for (int i = 1; i < kDataTypeCount; ++i) {
    if (kDataTypes[i].name == name) return static_cast<DataType>(i);
  }
  return DataType::kInvalid;
}

}  // namespace sluice
