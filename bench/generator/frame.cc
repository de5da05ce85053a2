#include "frame.h"

#include <cstring>

namespace sluice::load {

namespace {

// Fields of Frame, and of the tables below it.
constexpr int kRequest = 0;
constexpr int kResponse = 2;
constexpr int kError = 3;
constexpr int kId = 0;
constexpr int kErrorCode = 1;

template <typename T>
bool ReadAt(std::string_view bytes, size_t at, T* value) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return false;
  std::memcpy(value, bytes.data() + at, sizeof(T));
  return true;
}

// Where a table's field lies; 0 where the table has none, or the bytes are no table.
size_t FieldAt(std::string_view bytes, size_t table, int field) {
  int32_t back = 0;
  uint16_t vtable_bytes = 0, offset = 0;
  if (table == 0 || !ReadAt(bytes, table, &back)) return 0;
  const int64_t vtable = static_cast<int64_t>(table) - back;
  if (vtable < 0 || !ReadAt(bytes, static_cast<size_t>(vtable), &vtable_bytes)) return 0;
  const size_t slot = 4 + 2 * static_cast<size_t>(field);
  if (slot + 2 > vtable_bytes || !ReadAt(bytes, static_cast<size_t>(vtable) + slot, &offset)) return 0;
  return offset == 0 ? 0 : table + offset;
}

// Follows the offset that lies at `at`; 0 stays 0.
size_t TableAt(std::string_view bytes, size_t at) {
  uint32_t offset = 0;
  return at != 0 && ReadAt(bytes, at, &offset) ? at + offset : 0;
}

size_t RootTable(std::string_view bytes) {
  uint32_t offset = 0;
  return ReadAt(bytes, 0, &offset) && offset < bytes.size() ? offset : 0;
}

template <typename T>
T ValueAt(std::string_view bytes, size_t at) {
  T value{};
  if (at != 0) ReadAt(bytes, at, &value);
  return value;
}

// The codes of the server's error table that tell a client to come again, or that it was too late.
int HttpStatus(uint16_t code) {
  switch (code) {
    case 8:   // not ready
    case 9:   // queue full
    case 12:  // draining
      return 503;
    case 10:  // deadline passed
      return 504;
    case 13:  // run failed
    case 14:  // internal
      return 500;
    default:
      return 400;
  }
}

}  // namespace

int64_t FindRequestId(std::string_view message) {
  const size_t request = TableAt(message, FieldAt(message, RootTable(message), kRequest));
  const size_t at = FieldAt(message, request, kId);
  return at == 0 || at + 4 > message.size() ? -1 : static_cast<int64_t>(at);
}

bool ReadFrameReply(std::string_view message, FrameReply* reply) {
  const size_t root = RootTable(message);
  if (root == 0) return false;
  const size_t response = TableAt(message, FieldAt(message, root, kResponse));
  const size_t error = TableAt(message, FieldAt(message, root, kError));
  *reply = FrameReply{};
  if (response == 0 && error == 0) return true;
  reply->is_answer = true;
  const size_t answer = response != 0 ? response : error;
  reply->id = ValueAt<uint32_t>(message, FieldAt(message, answer, kId));
  reply->status =
      response != 0 ? 200 : HttpStatus(ValueAt<uint16_t>(message, FieldAt(message, error, kErrorCode)));
  return true;
}

}  // namespace sluice::load
