// Building the result as JSON text. Any thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace sluice::load {

inline std::string JsonNumber(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

inline std::string JsonNumber(uint64_t value) { return std::to_string(value); }

inline std::string JsonQuoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + '"';
}

// {"key":value,...} or [value,...]; values are JSON already.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, std::string_view json) {
    text_ += (text_.size() > 1 ? "," : "") + JsonQuoted(key) + ":";
    text_ += json;
    return *this;
  }
  JsonObject& Add(std::string_view key, uint64_t value) { return Add(key, JsonNumber(value)); }
  JsonObject& Add(std::string_view key, double value) { return Add(key, JsonNumber(value)); }
  std::string Text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

class JsonArray {
 public:
  JsonArray& Add(std::string_view json) {
    if (text_.size() > 1) text_ += ',';
    text_ += json;
    return *this;
  }
  std::string Text() const { return text_ + "]"; }

 private:
  std::string text_ = "[";
};

}  // namespace sluice::load
