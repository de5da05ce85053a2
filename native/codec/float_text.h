// The shortest decimal text that reads back as the same float, as std::to_chars writes it, and faster: the
// digits come from one multiplication by a power of ten (Schubfach), not from a search. Any thread.
#pragma once

namespace sluice {

// Room that WriteFloat needs.
inline constexpr int kLongestFloat = 32;

// Writes a finite value; answers the end.
char* WriteFloat(char* at, float value);

}  // namespace sluice
