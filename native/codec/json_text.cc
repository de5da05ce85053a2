#include "codec/json_text.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "codec/float_text.h"

namespace sluice {

namespace {

// Longest text of any number: a double like -2.2250738585072014e-308 has 24 characters.
constexpr size_t kLongestNumber = 32;

template <typename T>
T Load(const uint8_t* bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
char* WriteNumber(char* at, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      const char* token = std::isnan(value) ? "NaN" : (value > 0 ? "Infinity" : "-Infinity");
      const size_t length = std::strlen(token);
      std::memcpy(at, token, length);
      return at + length;
    }
  }
  if constexpr (std::is_same_v<T, float>) {
    return WriteFloat(at, value);
  } else {
    return std::to_chars(at, at + kLongestNumber, value).ptr;
  }
}

// Writes straight into reserved room: one capacity check per stretch of numbers, none per number.
template <typename T>
void AppendNumbers(AlignedBuffer* out, const uint8_t* bytes, int64_t elements) {
  constexpr int64_t kStretch = 4096;
  for (int64_t first = 0; first < elements; first += kStretch) {
    const int64_t last = std::min(first + kStretch, elements);
    const size_t start = out->size();
    out->Resize(start + static_cast<size_t>(last - first) * (kLongestNumber + 1));
    char* at = reinterpret_cast<char*>(out->data()) + start;
    for (int64_t i = first; i < last; ++i) {
      if (i > 0) *at++ = ',';
      at = WriteNumber(at, Load<T>(bytes, i));
    }
    out->Resize(static_cast<size_t>(at - reinterpret_cast<char*>(out->data())));
  }
}

bool AppendStrings(AlignedBuffer* out, const uint8_t* bytes, int64_t elements) {
  for (int64_t i = 0; i < elements; ++i) {
    uint32_t length;
    std::memcpy(&length, bytes, sizeof(length));
    bytes += sizeof(length);
    const std::string_view text(reinterpret_cast<const char*>(bytes), length);
    if (!IsValidUtf8(text)) return false;
    if (i > 0) AppendText(out, ",");
    AppendJsonString(out, text);
    bytes += length;
  }
  return true;
}

}  // namespace

void AppendInteger(AlignedBuffer* out, int64_t value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out->Append(text, static_cast<size_t>(end - text));
}

std::string JsonString(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size() + 2);
  out += '"';
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += character;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += character;
    }
  }
  out += '"';
  return out;
}

void AppendJsonString(AlignedBuffer* out, std::string_view text) { AppendText(out, JsonString(text)); }

bool IsValidUtf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

bool AppendJsonElements(AlignedBuffer* out, DataType type, const uint8_t* bytes, int64_t elements) {
  switch (type) {
    case DataType::kBool:
      for (int64_t i = 0; i < elements; ++i) {
        if (i > 0) AppendText(out, ",");
        AppendText(out, bytes[i] != 0 ? "true" : "false");
      }
      return true;
    case DataType::kUint8:
      AppendNumbers<uint8_t>(out, bytes, elements);
      return true;
    case DataType::kUint16:
      AppendNumbers<uint16_t>(out, bytes, elements);
      return true;
    case DataType::kUint32:
      AppendNumbers<uint32_t>(out, bytes, elements);
      return true;
    case DataType::kUint64:
      AppendNumbers<uint64_t>(out, bytes, elements);
      return true;
    case DataType::kInt8:
      AppendNumbers<int8_t>(out, bytes, elements);
      return true;
    case DataType::kInt16:
      AppendNumbers<int16_t>(out, bytes, elements);
      return true;
    case DataType::kInt32:
      AppendNumbers<int32_t>(out, bytes, elements);
      return true;
    case DataType::kInt64:
      AppendNumbers<int64_t>(out, bytes, elements);
      return true;
    case DataType::kFp32:
      AppendNumbers<float>(out, bytes, elements);
      return true;
    case DataType::kFp64:
      AppendNumbers<double>(out, bytes, elements);
      return true;
    case DataType::kBytes:
      return AppendStrings(out, bytes, elements);
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      break;
  }
  return false;
}

}  // namespace sluice
