// Small words for reading JSON with simdjson: its errors in our terms, walking an object's members, names in
// messages. Header only, for the files of this folder. Any thread.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace sluice {

inline Status BadJson(simdjson::error_code error) {
  return Status(Code::kBadRequest,
                std::string("the body is not valid JSON: ") + simdjson::error_message(error));
}

inline Status Expected(const char* what, const std::string& where) {
  return Status(Code::kBadRequest, std::string("expected ") + what + " for " + where);
}

// simdjson has one error for "not JSON" and one for "another type"; both are told in our words.
inline Status TypeOrSyntax(simdjson::error_code error, const char* what, const std::string& where) {
  return error == simdjson::INCORRECT_TYPE || error == simdjson::NUMBER_ERROR ? Expected(what, where)
                                                                              : BadJson(error);
}

inline bool IsNull(simdjson::ondemand::value& value) { return value.raw_json_token()[0] == 'n'; }

template <typename Entry>
int IndexOf(const std::vector<Entry>& entries, std::string_view name) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

template <typename Entry>
std::string NamesOf(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) text += (text.empty() ? "" : ", ") + entry.name;
  return text;
}

// A client's word inside a message: cut, so that a message stays short.
inline std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 128;
  if (text.size() <= kLongest) return "\"" + std::string(text) + "\"";
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return "\"" + std::string(text.substr(0, end)) + "...\"";
}

// Calls visit(key, value) for each member; an error of either ends the walk.
template <typename Visit>
Status ForEachMember(simdjson::ondemand::object object, Visit visit) {
  for (auto member : object) {
    std::string_view key;
    if (const simdjson::error_code error = member.unescaped_key().get(key)) return BadJson(error);
    simdjson::ondemand::value value;
    if (const simdjson::error_code error = member.value().get(value)) return BadJson(error);
    if (Status status = visit(key, value); !status.ok()) return status;
  }
  return Status();
}

}  // namespace sluice
