// Small words for reading JSON with simdjson: its errors in our terms, walking an object's members.
// Header only, for the files of this folder. Any thread.
#pragma once

#include <simdjson.h>

#include <new>
#include <string>
#include <string_view>

#include "base/status.h"
#include "codec/names.h"

namespace sluice {

// Throws std::bad_alloc where it is memory that is missing, not JSON.
inline Status BadJson(simdjson::error_code error) {
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  return Status(Code::kBadRequest,
                std::string("the body is not valid JSON: ") + simdjson::error_message(error));
}

// Begins to read `length` bytes that have padding behind them. simdjson does not see when it found no memory
// for its strings, and a parser that found none is not to be used again: both are made good here.
inline simdjson::error_code Iterate(simdjson::ondemand::parser* parser, const char* json, size_t length,
                                    simdjson::ondemand::document* document) {
  struct Within : simdjson::ondemand::document {
    static bool HasNoStrings(simdjson::ondemand::document* one) {
      return (one->*(&Within::iter)).string_buf_loc() == nullptr;
    }
  };
  simdjson::error_code error =
      parser->iterate(json, length, length + simdjson::SIMDJSON_PADDING).get(*document);
  if (error == simdjson::SUCCESS && Within::HasNoStrings(document)) error = simdjson::MEMALLOC;
  if (error == simdjson::MEMALLOC) *parser = simdjson::ondemand::parser();
  return error;
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
