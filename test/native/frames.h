// Frames as a client makes them, with the library's own builder. Header only.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "codec/inference_generated.h"

namespace sluice::test {

struct SentTensor {
  const char* name = nullptr;  // null: by position
  uint16_t position = 0;
  wire::DataType type = wire::DataType::FP32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

struct SentRequest {
  uint32_t id = 7;
  uint32_t model_number = 1;
  const char* model = nullptr;
  std::vector<SentTensor> inputs;
  std::vector<uint16_t> outputs;
};

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& elements) {
  std::vector<uint8_t> bytes(elements.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
  return bytes;
}

inline std::vector<uint8_t> BytesOfStrings(const std::vector<std::string>& strings) {
  std::vector<uint8_t> bytes;
  for (const std::string& text : strings) {
    const auto length = static_cast<uint32_t>(text.size());
    const std::vector<uint8_t> head = BytesOf(std::vector<uint32_t>{length});
    bytes.insert(bytes.end(), head.begin(), head.end());
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  return bytes;
}

inline std::vector<uint8_t> Finished(flatbuffers::FlatBufferBuilder* builder) {
  return {builder->GetBufferPointer(), builder->GetBufferPointer() + builder->GetSize()};
}

inline std::vector<uint8_t> RequestFrame(const SentRequest& sent) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Tensor>> inputs;
  for (const SentTensor& tensor : sent.inputs) {
    inputs.push_back(wire::CreateTensorDirect(builder, tensor.name, tensor.position, tensor.type,
                                              &tensor.shape, &tensor.bytes));
  }
  std::vector<flatbuffers::Offset<wire::OutputChoice>> outputs;
  for (const uint16_t position : sent.outputs)
    outputs.push_back(wire::CreateOutputChoice(builder, 0, position));
  const auto request = wire::CreateInferRequestDirect(builder, sent.id, sent.model_number, sent.model,
                                                      nullptr, &inputs, outputs.empty() ? nullptr : &outputs);
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, request));
  return Finished(&builder);
}

inline std::vector<uint8_t> CancelFrame(uint32_t id) {
  flatbuffers::FlatBufferBuilder builder;
  const auto cancel = wire::CreateCancel(builder, id);
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, 0, cancel));
  return Finished(&builder);
}

}  // namespace sluice::test
