// Looking tensors up by name, and names in messages. Header only; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

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

}  // namespace sluice
