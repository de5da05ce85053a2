// Runs every registered test; a title given on the command line runs those that contain it.
#include <cstring>

#include "check.h"

namespace sluice::test {

namespace {
int failures_of_case = 0;
}

std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

void Fail(const char* file, int line, const std::string& what) {
  ++failures_of_case;
  std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

}  // namespace sluice::test

int main(int count, char** words) {
  using namespace sluice::test;
  int passed = 0, failed = 0;
  for (const Case& one : Cases()) {
    if (count > 1 && std::strstr(one.title, words[1]) == nullptr) continue;
    failures_of_case = 0;
    one.run();
    std::printf("%s %s\n", failures_of_case == 0 ? "ok" : "FAIL", one.title);
    failures_of_case == 0 ? ++passed : ++failed;
  }
  std::printf("native: %d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
