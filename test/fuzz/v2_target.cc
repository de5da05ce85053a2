// Any bytes as the body of a V2 infer request, in JSON alone and with binary tensors behind it.
#include <cstring>
#include <memory>
#include <string_view>

#include "../native/specs.h"
#include "codec/v2_decoder.h"
#include "targets.h"

namespace sluice::test {

namespace {

constexpr size_t kPrefixBytes = 2;

const std::vector<ModelSpec>& Specs() {
  static const std::vector<ModelSpec> specs = {
      OneInput(DataType::kFp32, {-1}),
      OneInput(DataType::kBytes, {2}),
      Model({Tensor("a", DataType::kInt32, {1}), Tensor("b", DataType::kFp64, {2})},
            {Tensor("y", DataType::kFp32, {2}), Tensor("z", DataType::kFp16, {2})}),
      Padded(Tensor("x", DataType::kFp32, {-1}), 0, {}, Tensor("y", DataType::kFp32, {-1}), true),
  };
  return specs;
}

void DecodeForAll(const uint8_t* bytes, size_t size, int64_t head_length) {
  static V2Decoder decoder;
  // A block of exactly this size, so that the sanitizer sees every read beyond it.
  const auto exact = std::make_unique<uint8_t[]>(size);
  if (size > 0) std::memcpy(exact.get(), bytes, size);
  for (const ModelSpec& spec : Specs()) {
    Request request;
    decoder.Decode(spec, exact.get(), size, head_length, &request);
  }
}

FuzzBytes BytesOfText(std::string_view text) { return FuzzBytes(text.begin(), text.end()); }

FuzzBytes Prefixed(std::string_view json, size_t tensor_bytes) {
  FuzzBytes bytes = {static_cast<uint8_t>(json.size()), static_cast<uint8_t>(json.size() >> 8)};
  bytes.insert(bytes.end(), json.begin(), json.end());
  bytes.resize(bytes.size() + tensor_bytes);
  return bytes;
}

constexpr std::string_view kFloats =
    R"({"id":"1","parameters":{"binary_data_output":true,"timeout":5,"priority":2},)"
    R"("inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.5,-2e3]}]})";
constexpr std::string_view kStrings =
    R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"BYTES","data":["a\n","\u4e09"]}]})";
constexpr std::string_view kTwo =
    R"({"inputs":[{"name":"a","shape":[1,1],"datatype":"INT32","parameters":{"binary_data_size":4}},)"
    R"({"name":"b","shape":[1,2],"datatype":"FP64","parameters":{"binary_data_size":16}}],)"
    R"("outputs":[{"name":"z","parameters":{"binary_data":true}}]})";
constexpr std::string_view kTwoInJson =
    R"({"inputs":[{"name":"a","shape":[2,1],"datatype":"INT32","data":[[1],[-2]]},)"
    R"({"name":"b","shape":[2,2],"datatype":"FP64","data":[[1,2.5],[NaN,-Infinity]]}],)"
    R"("outputs":[{"name":"y"}]})";

}  // namespace

void FuzzV2Json(const uint8_t* bytes, size_t size) { DecodeForAll(bytes, size, -1); }

void FuzzV2Binary(const uint8_t* bytes, size_t size) {
  if (size < kPrefixBytes) return;
  DecodeForAll(bytes + kPrefixBytes, size - kPrefixBytes, bytes[0] | bytes[1] << 8);
}

std::vector<FuzzBytes> V2JsonSeeds() {
  return {BytesOfText(kFloats), BytesOfText(kStrings), BytesOfText(kTwoInJson)};
}

std::vector<FuzzBytes> V2BinarySeeds() {
  return {Prefixed(kFloats, 0), Prefixed(kStrings, 0), Prefixed(kTwo, 20)};
}

}  // namespace sluice::test
