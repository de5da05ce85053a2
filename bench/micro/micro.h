// A micro benchmark is a function that does one thing a given number of times; MICRO registers it. Setting up
// happens once, in a static of the function, so that a count of instructions sees only the thing itself.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::micro {

struct Case {
  const char* name;
  void (*run)(int64_t times);
};

inline std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

struct Register {
  Register(const char* name, void (*run)(int64_t)) { Cases().push_back({name, run}); }
};

// The compiler must believe that somebody looks at it.
template <typename T>
inline void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace sluice::micro

#define SLUICE_MICRO2(name, line)                                           \
  static void Run##line(int64_t times);                                     \
  static const ::sluice::micro::Register kRegister##line(name, &Run##line); \
  static void Run##line([[maybe_unused]] int64_t times)
#define SLUICE_MICRO1(name, line) SLUICE_MICRO2(name, line)
#define MICRO(name) SLUICE_MICRO1(name, __LINE__)
