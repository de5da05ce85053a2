// What every life of an engine in the sweeps has in common: the engine itself, a loop, and versions that are
// opened, started and closed on a loader thread, as the binding does it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hand_loop.h"
#include "scripted_runner.h"

namespace sluice::test {

// `rows` rows, the first of them in that mood.
std::vector<float> RowsOf(int number, int rows, Mood mood);

// Starts an engine and a loop, lives, and ends both. Answers what went wrong, empty for nothing.
std::string Life(const std::function<std::string(Engine*, HandLoop*)>& live);

// Runs `work` on a loader thread and waits for what comes of it; where that needs memory that is missing it
// did not begin.
Code OnLoader(Engine* engine, HandLoop* loop, const std::function<Status()>& work);

// A version of the scripted model. Close must be called.
class OpenVersion {
 public:
  OpenVersion(Engine* engine, HandLoop* loop, Execution execution, const std::string& path = "");

  bool is_open() const { return is_open_; }
  uint32_t handle() const { return handle_; }
  void Note(const char* what) {
    if (*what != 0) wrong_ = what;
  }
  // What went wrong, empty for nothing.
  const char* Close();

 private:
  Engine* const engine_;
  HandLoop* const loop_;
  uint32_t handle_ = 0;
  bool has_handle_ = false;
  bool is_open_ = false;
  const char* wrong_ = "";
};

}  // namespace sluice::test
