// A test is a function; TEST registers it. CHECK counts a failure and goes on. One thread.
#pragma once

#include <cstdio>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::test {

struct Case {
  const char* title;
  void (*run)();
};

std::vector<Case>& Cases();
void Fail(const char* file, int line, const std::string& what);

struct Register {
  Register(const char* title, void (*run)()) { Cases().push_back({title, run}); }
};

template <typename A, typename B>
void CheckEqual(const char* file, int line, const char* text, const A& got, const B& expected) {
  if (got == expected) return;
  std::ostringstream out;
  out << text << ": got " << got << ", expected " << expected;
  Fail(file, line, out.str());
}

}  // namespace sluice::test

#define SLUICE_JOIN2(a, b) a##b
#define SLUICE_JOIN(a, b) SLUICE_JOIN2(a, b)
#define TEST(title)                                                                                     \
  static void SLUICE_JOIN(Test, __LINE__)();                                                            \
  static const ::sluice::test::Register SLUICE_JOIN(kRegister, __LINE__)(title,                         \
                                                                         &SLUICE_JOIN(Test, __LINE__)); \
  static void SLUICE_JOIN(Test, __LINE__)()
#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) ::sluice::test::Fail(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_EQ(got, expected) ::sluice::test::CheckEqual(__FILE__, __LINE__, #got, got, expected)
