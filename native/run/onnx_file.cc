#include "run/onnx_file.h"

#include <algorithm>
#include <cstddef>

namespace sluice {

namespace {

Status Invalid(const std::string& message) { return Status(Code::kModelInvalid, message); }

// A cursor over protobuf wire format.
struct Wire {
  const uint8_t* at;
  const uint8_t* end;

  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && at < end; shift += 7) {
      const uint8_t byte = *at++;
      *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }
  // Reads one field; `content` is set for length-delimited ones only.
  bool Field(uint32_t* number, bool* has_content, Wire* content) {
    uint64_t tag = 0, value = 0;
    if (!Varint(&tag)) return false;
    *number = static_cast<uint32_t>(tag >> 3);
    *has_content = false;
    switch (tag & 7) {
      case 0:
        return Varint(&value);
      case 1:
        return Skip(8);
      case 2:
        if (!Varint(&value) || value > static_cast<uint64_t>(end - at)) return false;
        *has_content = true;
        *content = {at, at + value};
        at += value;
        return true;
      case 5:
        return Skip(4);
      default:
        return false;
    }
  }
  bool Skip(std::ptrdiff_t count) {
    if (end - at < count) return false;
    at += count;
    return true;
  }
  std::string Text() const {
    return std::string(reinterpret_cast<const char*>(at), static_cast<size_t>(end - at));
  }
};

// Which messages can hold a tensor, and under which field numbers (onnx.proto).
enum class Message {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kFunction,
  kTraining,
  kStringPair
};

struct Edge {
  Message from;
  uint32_t field;
  Message to;
};

constexpr Edge kEdges[] = {
    {Message::kModel, 7, Message::kGraph},
    {Message::kModel, 20, Message::kTraining},
    {Message::kModel, 25, Message::kFunction},
    {Message::kTraining, 1, Message::kGraph},
    {Message::kTraining, 2, Message::kGraph},
    {Message::kFunction, 7, Message::kNode},
    {Message::kFunction, 11, Message::kAttribute},
    {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},
    {Message::kGraph, 15, Message::kSparseTensor},
    {Message::kNode, 5, Message::kAttribute},
    {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},
    {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},
    {Message::kAttribute, 22, Message::kSparseTensor},
    {Message::kAttribute, 23, Message::kSparseTensor},
    {Message::kSparseTensor, 1, Message::kTensor},
    {Message::kSparseTensor, 2, Message::kTensor},
    {Message::kTensor, 13, Message::kStringPair},
};

constexpr int kDeepestMessage = 100;

bool ReadPair(Wire pair, std::vector<std::string>* locations) {
  std::string key, value;
  while (pair.at < pair.end) {
    uint32_t field = 0;
    bool has_content = false;
    Wire content{};
    if (!pair.Field(&field, &has_content, &content)) return false;
    if (has_content && field == 1) key = content.Text();
    if (has_content && field == 2) value = content.Text();
  }
  if (key == "location") locations->push_back(value);
  return true;
}

bool Walk(Message message, Wire wire, int depth, std::vector<std::string>* locations) {
  if (depth > kDeepestMessage) return false;
  if (message == Message::kStringPair) return ReadPair(wire, locations);
  while (wire.at < wire.end) {
    uint32_t field = 0;
    bool has_content = false;
    Wire content{};
    if (!wire.Field(&field, &has_content, &content)) return false;
    if (!has_content) continue;
    for (const Edge& edge : kEdges) {
      if (edge.from == message && edge.field == field && !Walk(edge.to, content, depth + 1, locations))
        return false;
    }
  }
  return true;
}

}  // namespace

Status FindExternalLocations(const uint8_t* bytes, size_t size, std::vector<std::string>* locations) {
  if (!Walk(Message::kModel, {bytes, bytes + size}, 0, locations)) {
    return Invalid("the file is not an ONNX model: its protobuf form is broken or cut off");
  }
  std::sort(locations->begin(), locations->end());
  locations->erase(std::unique(locations->begin(), locations->end()), locations->end());
  return Status();
}

}  // namespace sluice
