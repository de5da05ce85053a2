// Writing JSON text: numbers in their shortest exact form, strings escaped. Appends to a caller's buffer; any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/data_type.h"
#include "memory/aligned_buffer.h"

namespace sluice {

inline void AppendText(AlignedBuffer* out, std::string_view text) { out->Append(text.data(), text.size()); }
void AppendInteger(AlignedBuffer* out, int64_t value);

// The string with quotes, escaped; `text` must be valid UTF-8.
void AppendJsonString(AlignedBuffer* out, std::string_view text);
std::string JsonString(std::string_view text);
bool IsValidUtf8(std::string_view text);

// `elements` elements separated by commas. Not for FP16, BF16 (no JSON form in V2). Non-finite floats are
// written as the tokens NaN, Infinity and -Infinity, as Triton does. BYTES must be valid UTF-8 in every
// element, else false.
bool AppendJsonElements(AlignedBuffer* out, DataType type, const uint8_t* bytes, int64_t elements);

}  // namespace sluice
