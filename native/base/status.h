// The error table of the native side: numbers equal src/core/errors.ts and are compared when the addon is
// loaded. Any thread. A Status is a value; its message is fit for a client unless said otherwise.
#pragma once

#include <string>
#include <utility>

namespace sluice {

enum class Code : int {
  kOk = 0,
  kBadRequest = 1,
  kUnknownTensor = 2,
  kShapeMismatch = 3,
  kTypeMismatch = 4,
  kTooLarge = 5,
  kModelNotFound = 6,
  kVersionNotFound = 7,
  kNotReady = 8,
  kQueueFull = 9,
  kDeadlinePassed = 10,
  kCancelled = 11,
  kDraining = 12,
  kRunFailed = 13,
  kInternal = 14,
  kModelInvalid = 15,
};

// Same order as the enum, from kBadRequest on.
inline constexpr const char* kErrorNames[] = {
    "BAD_REQUEST",     "UNKNOWN_TENSOR",    "SHAPE_MISMATCH", "TYPE_MISMATCH", "TOO_LARGE",
    "MODEL_NOT_FOUND", "VERSION_NOT_FOUND", "NOT_READY",      "QUEUE_FULL",    "DEADLINE_PASSED",
    "CANCELLED",       "DRAINING",          "RUN_FAILED",     "INTERNAL",      "MODEL_INVALID",
};

class Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

}  // namespace sluice
