#include "codec/frame_bundle.h"

#include <string>

namespace sluice {

namespace {

Status NotABundle(const std::string& what) {
  return Status(Code::kBadRequest, "expected a bundle of frames, got " + what);
}

}  // namespace

Status NextInBundle(const uint8_t* message, size_t size, size_t* at, BundledFrame* frame) {
  const size_t left = size - *at;
  if (!IsBundle(message + *at, left))
    return NotABundle("no record at byte " + std::to_string(*at) + " of " + std::to_string(size));
  uint32_t frame_bytes = 0;
  std::memcpy(&frame_bytes, message + *at, sizeof(frame_bytes));
  if (frame_bytes > left - kRecordBytes) {
    return NotABundle("a frame of " + std::to_string(frame_bytes) + " bytes where " +
                      std::to_string(left - kRecordBytes) + " are left");
  }
  *frame = {message + *at + kRecordBytes, frame_bytes};
  *at = NextRecordAt(*at + kRecordBytes + frame_bytes);
  return Status();
}

}  // namespace sluice
