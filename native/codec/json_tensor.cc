#include "codec/json_tensor.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "codec/tensor_check.h"

namespace sluice {

namespace {

using simdjson::error_code;
using simdjson::ondemand::array;
using simdjson::ondemand::value;

// Deeper nesting than any tensor has; far from the stack's end.
constexpr int kDeepestNesting = 32;

std::string Excerpt(std::string_view token) {
  constexpr size_t kLongest = 32;
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  return token.size() <= kLongest ? std::string(token) : std::string(token.substr(0, kLongest)) + "...";
}

Status WrongElement(const TensorSpec& tensor, value* element, int64_t index) {
  return Status(Code::kTypeMismatch, "expected " + std::string(DataTypeName(tensor.type)) + " for element " +
                                         std::to_string(index) + " of " + InputName(tensor.name) + ", got " +
                                         Excerpt(element->raw_json_token()));
}

bool ReadToken(value* element, double* number) {
  const std::string token = Excerpt(element->raw_json_token());
  if (token == "NaN" || token == "-NaN") {
    *number = std::numeric_limits<double>::quiet_NaN();
  } else if (token == "Infinity" || token == "Inf") {
    *number = std::numeric_limits<double>::infinity();
  } else if (token == "-Infinity" || token == "-Inf") {
    *number = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

template <typename T>
bool ReadElement(value* element, T* out) {
  if constexpr (std::is_same_v<T, bool>) {
    return element->get_bool().get(*out) == simdjson::SUCCESS;
  } else if constexpr (std::is_floating_point_v<T>) {
    double number;
    if (element->get_double().get(number) != simdjson::SUCCESS) {
      if (!ReadToken(element, &number)) return false;
    } else if constexpr (std::is_same_v<T, float>) {
      // Refuses what float cannot hold instead of turning it into infinity.
      if (std::isinf(static_cast<float>(number))) return false;
    }
    *out = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return element->get_uint64().get(*out) == simdjson::SUCCESS;
  } else {
    int64_t number;
    if (element->get_int64().get(number) != simdjson::SUCCESS) return false;
    if (number < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        number > static_cast<int64_t>(std::numeric_limits<T>::max())) {
      return false;
    }
    *out = static_cast<T>(number);
    return true;
  }
}

// Where the next element goes and how many are still expected.
struct Progress {
  const TensorSpec& tensor;
  const int64_t expected;
  AlignedBuffer* out;
  size_t start;
  int64_t read = 0;

  Status WrongCount(const std::string& got) const {
    return Status(Code::kShapeMismatch, "expected " + std::to_string(expected) + " elements for " +
                                            InputName(tensor.name) + ", got " + got);
  }
};

Status BrokenJson(error_code error) {
  return Status(Code::kBadRequest,
                std::string("the body is not valid JSON: ") + simdjson::error_message(error));
}

template <typename T>
Status StoreElement(value* element, Progress* progress) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    std::string_view text;
    if (element->get_string().get(text) != simdjson::SUCCESS)
      return WrongElement(progress->tensor, element, progress->read);
    const auto length = static_cast<uint32_t>(text.size());
    progress->out->Append(&length, sizeof(length));
    progress->out->Append(text.data(), text.size());
  } else {
    T number;
    if (!ReadElement(element, &number)) return WrongElement(progress->tensor, element, progress->read);
    std::memcpy(progress->out->data() + progress->start + static_cast<size_t>(progress->read) * sizeof(T),
                &number, sizeof(T));
  }
  return Status();
}

template <typename T>
Status ReadArray(array elements, int depth, Progress* progress) {
  if (depth > kDeepestNesting) {
    return Status(Code::kBadRequest, "the nesting of " + InputName(progress->tensor.name) +
                                         " is deeper than " + std::to_string(kDeepestNesting));
  }
  for (auto item : elements) {
    value element;
    if (const error_code error = item.get(element)) return BrokenJson(error);
    array nested;
    if (element.raw_json_token()[0] == '[') {
      if (const error_code error = element.get_array().get(nested)) return BrokenJson(error);
      if (Status status = ReadArray<T>(nested, depth + 1, progress); !status.ok()) return status;
      continue;
    }
    if (progress->read == progress->expected) return progress->WrongCount("more");
    if (Status status = StoreElement<T>(&element, progress); !status.ok()) return status;
    ++progress->read;
  }
  return Status();
}

template <typename T>
Status ReadAll(array elements, const TensorSpec& tensor, int64_t element_count, AlignedBuffer* out) {
  Progress progress{tensor, element_count, out, out->size()};
  if constexpr (!std::is_same_v<T, std::string_view>) {
    out->Resize(out->size() + static_cast<size_t>(element_count) * sizeof(T));
  }
  if (Status status = ReadArray<T>(elements, 1, &progress); !status.ok()) return status;
  if (progress.read != element_count) return progress.WrongCount(std::to_string(progress.read));
  return Status();
}

}  // namespace

Status ReadJsonTensor(array elements, const TensorSpec& tensor, int64_t element_count, AlignedBuffer* out) {
  switch (tensor.type) {
    case DataType::kBool:
      return ReadAll<bool>(elements, tensor, element_count, out);
    case DataType::kUint8:
      return ReadAll<uint8_t>(elements, tensor, element_count, out);
    case DataType::kUint16:
      return ReadAll<uint16_t>(elements, tensor, element_count, out);
    case DataType::kUint32:
      return ReadAll<uint32_t>(elements, tensor, element_count, out);
    case DataType::kUint64:
      return ReadAll<uint64_t>(elements, tensor, element_count, out);
    case DataType::kInt8:
      return ReadAll<int8_t>(elements, tensor, element_count, out);
    case DataType::kInt16:
      return ReadAll<int16_t>(elements, tensor, element_count, out);
    case DataType::kInt32:
      return ReadAll<int32_t>(elements, tensor, element_count, out);
    case DataType::kInt64:
      return ReadAll<int64_t>(elements, tensor, element_count, out);
    case DataType::kFp32:
      return ReadAll<float>(elements, tensor, element_count, out);
    case DataType::kFp64:
      return ReadAll<double>(elements, tensor, element_count, out);
    case DataType::kBytes:
      return ReadAll<std::string_view>(elements, tensor, element_count, out);
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      break;
  }
  return Status(Code::kTypeMismatch, std::string(DataTypeName(tensor.type)) + " has no JSON form: send " +
                                         InputName(tensor.name) + " as binary data");
}

}  // namespace sluice
