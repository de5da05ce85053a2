// Any bytes as a WebSocket message. Whatever passes must lie inside the message, for every kind of model, but
// for masks that are made.
#include <cstdlib>

#include "../native/frames.h"
#include "../native/specs.h"
#include "codec/frame_bundle.h"
#include "codec/frame_decoder.h"
#include "fence.h"
#include "targets.h"

namespace sluice::test {

namespace {

const std::vector<ModelSpec>& Specs() {
  static const std::vector<ModelSpec> specs = {
      OneInput(DataType::kFp32, {4}),
      OneInput(DataType::kFp32, {-1}),
      OneInput(DataType::kBytes, {2}),
      OneInput(DataType::kInt64, {}, 0),
      Model({Tensor("a", DataType::kInt32, {1}), Tensor("b", DataType::kFp64, {2})},
            {Tensor("y", DataType::kFp32, {2}), Tensor("z", DataType::kFp32, {2})}),
      Padded(Tensor("x", DataType::kFp32, {-1}), 0, {}, Tensor("y", DataType::kFp32, {-1}), true),
  };
  return specs;
}

void Require(bool condition) {
  if (!condition) std::abort();
}

unsigned Touch(const uint8_t* bytes, size_t count) {
  unsigned sum = 0;
  for (size_t at = 0; at < count; ++at) sum += bytes[at];
  return sum;
}

bool IsInside(const AlignedBuffer& buffer, const void* bytes, size_t count) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  const uint8_t* begin = buffer.data();
  return at >= begin && count <= buffer.size() && static_cast<size_t>(at - begin) <= buffer.size() - count;
}

void CheckInputs(const Request& request, const ModelSpec& spec) {
  Require(request.inputs.size() == spec.inputs.size() && request.rows >= 1);
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const RequestInput& input = request.inputs[i];
    // A mask that the client left out is made beside the message.
    const bool may_be_made = (spec.optional_inputs >> i & 1) != 0;
    Require(IsInside(request.body, input.bytes, input.byte_count) ||
            (may_be_made && IsInside(request.tensors, input.bytes, input.byte_count)));
    if (spec.inputs[i].type != DataType::kBytes)
      Require(input.byte_count == static_cast<size_t>(input.elements) * DataTypeBytes(spec.inputs[i].type));
    Require(Touch(input.bytes, input.byte_count) < ~0u);
  }
  Require(request.wanted_outputs != 0 && request.wanted_outputs < uint64_t{1} << spec.outputs.size());
}

void FuzzOne(const uint8_t* bytes, size_t size) {
  static FrameDecoder decoder;
  Request request;
  request.body.Append(bytes, size);
  request.body.Reserve(1);
  const Fence fence(&request.body);
  FrameHead head;
  if (!ReadFrameHead(request.body.data(), request.body.size(), &head).ok()) return;
  if (head.kind != FrameKind::kRequest) return;
  for (const std::string_view text : {head.model, head.version, head.routing_key, head.traceparent}) {
    if (text.data() == nullptr) continue;
    Require(IsInside(request.body, text.data(), text.size()));
    Require(Touch(reinterpret_cast<const uint8_t*>(text.data()), text.size()) < ~0u);
  }
  for (const ModelSpec& spec : Specs()) {
    if (decoder.Decode(spec, &request).ok()) CheckInputs(request, spec);
  }
}

}  // namespace

void FuzzFrame(const uint8_t* bytes, size_t size) {
  if (!IsBundle(bytes, size)) return FuzzOne(bytes, size);
  AlignedBuffer message;
  message.Append(bytes, size);
  const Fence fence(&message);
  for (size_t at = 0; at < size;) {
    BundledFrame frame;
    if (!NextInBundle(message.data(), size, &at, &frame).ok()) return;
    Require(IsInside(message, frame.bytes, frame.size) && at % kRecordBytes == 0);
    FuzzOne(frame.bytes, frame.size);
  }
}

namespace {

FuzzBytes Bundle(const std::vector<FuzzBytes>& frames) {
  FuzzBytes message;
  for (const FuzzBytes& frame : frames) {
    const size_t at = NextRecordAt(message.size());
    message.resize(at + kRecordBytes);
    WriteRecord(message.data() + at, static_cast<uint32_t>(frame.size()));
    message.insert(message.end(), frame.begin(), frame.end());
  }
  return message;
}

}  // namespace

std::vector<FuzzBytes> FrameSeeds() {
  using wire::DataType;
  const SentTensor floats{"x", 0, DataType::FP32, {2, 4}, BytesOf<float>({1, 2, 3, 4, 5, 6, 7, 8})};
  const SentTensor strings{"x", 0, DataType::BYTES, {1, 2}, BytesOfStrings({"one", ""})};
  const SentTensor scalar{nullptr, 0, DataType::INT64, {}, BytesOf<int64_t>({7})};
  const SentTensor a{nullptr, 0, DataType::INT32, {1, 1}, BytesOf<int32_t>({5})};
  const SentTensor b{"b", 0, DataType::FP64, {1, 2}, BytesOf<double>({1.5, 2.5})};
  const SentTensor mask{"m", 0, DataType::INT32, {1, 3}, BytesOf<int32_t>({1, 0, 1})};
  const SentTensor three{"x", 0, DataType::FP32, {1, 3}, BytesOf<float>({1, 2, 3})};
  const SentTensor empty{"x", 0, DataType::FP32, {1, 0}, {}};
  SentTensor deep = floats;
  deep.shape.assign(17, 1);
  std::vector<FuzzBytes> seeds = {
      RequestFrame({7, 1, nullptr, {floats}, {0}}),   RequestFrame({7, 0, "digits", {floats}, {}}),
      RequestFrame({8, 1, nullptr, {strings}, {}}),   RequestFrame({9, 1, nullptr, {scalar}, {}}),
      RequestFrame({10, 1, nullptr, {b, a}, {1, 0}}), RequestFrame({11, 1, nullptr, {empty}, {}}),
      RequestFrame({12, 1, nullptr, {deep}, {}}),     CancelFrame(99)};
  seeds.push_back(Bundle({RequestFrame({7, 1, nullptr, {floats}, {0}}), CancelFrame(7),
                          RequestFrame({8, 1, nullptr, {b, a}, {}})}));
  return seeds;
}

}  // namespace sluice::test
