// Decoding and encoding of the sizes that the scenarios send: 64 and 1,000 floats in, 10 and 1,000 out.
#include <cstdio>
#include <cstring>
#include <string>

#include "codec/v2_decoder.h"
#include "codec/v2_encoder.h"
#include "micro.h"

namespace sluice {
namespace {

using micro::Keep;

TensorSpec Floats(const char* name, int64_t columns) {
  TensorSpec tensor;
  tensor.name = name;
  tensor.type = DataType::kFp32;
  tensor.dims = tensor.model_dims = {columns};
  tensor.row_elements = columns;
  tensor.reply_prefix = "{\"name\":\"" + tensor.name + "\",\"datatype\":\"FP32\",\"shape\":[";
  return tensor;
}

ModelSpec Spec(int64_t columns) {
  static uint64_t serial = 0;
  ModelSpec spec;
  spec.serial = ++serial;
  spec.name = "m";
  spec.version = "1";
  spec.display = "model \"m\" version 1";
  spec.reply_prefix = "\"model_name\":\"m\",\"model_version\":\"1\"";
  spec.max_batch_rows = 64;
  spec.inputs = {Floats("INPUT0", columns)};
  spec.outputs = {Floats("OUTPUT0", columns)};
  return spec;
}

std::vector<float> Values(int64_t count) {
  std::vector<float> values;
  uint32_t state = 12345;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    values.push_back(static_cast<float>(state) / 2147483648.0f - 1.0f);
  }
  return values;
}

// `digits`: 17 is what JSON.stringify makes of a float that became a double, 9 and 6 what other clients send.
std::string JsonBody(int64_t columns, int digits) {
  std::string body = "{\"inputs\":[{\"name\":\"INPUT0\",\"shape\":[1," + std::to_string(columns) +
                     "],\"datatype\":\"FP32\",\"data\":[";
  bool is_first = true;
  for (const float value : Values(columns)) {
    char text[40];
    std::snprintf(text, sizeof text, "%s%.*g", is_first ? "" : ",", digits, static_cast<double>(value));
    body += text;
    is_first = false;
  }
  return body + "]}]}";
}

std::string Blob(int64_t columns) {
  const std::vector<float> values = Values(columns);
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string Head(int64_t columns) {
  return "{\"inputs\":[{\"name\":\"INPUT0\",\"shape\":[1," + std::to_string(columns) +
         "],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":" + std::to_string(4 * columns) +
         "}}],\"parameters\":{\"binary_data_output\":true}}";
}

void Decode(int64_t times, const ModelSpec& spec, const std::string& body, int64_t head_length) {
  static V2Decoder decoder;
  static Request request;
  for (int64_t i = 0; i < times; ++i) {
    request.tensors.Clear();
    const Status status = decoder.Decode(spec, reinterpret_cast<const uint8_t*>(body.data()), body.size(),
                                         head_length, &request);
    if (!status.ok()) std::abort();
    Keep(request.rows);
  }
}

void Encode(int64_t times, const ModelSpec& spec, const std::vector<float>& values, bool is_binary) {
  static Request request;
  request.wanted_outputs = 1;
  request.binary_outputs = is_binary ? 1 : 0;
  OutputRows output;
  output.dims.rank = 2;
  output.dims.at[0] = 1;
  output.dims.at[1] = static_cast<int64_t>(values.size());
  output.bytes = reinterpret_cast<const uint8_t*>(values.data());
  output.byte_count = values.size() * sizeof(float);
  output.elements = static_cast<int64_t>(values.size());
  const std::vector<OutputRows> outputs{output};
  for (int64_t i = 0; i < times; ++i) {
    if (!EncodeV2(spec, outputs, &request).ok()) std::abort();
    Keep(request.reply.size());
  }
}

#define DECODE(name, columns, body, head_length) \
  MICRO(name) {                                  \
    static const ModelSpec spec = Spec(columns); \
    static const std::string bytes = body;       \
    Decode(times, spec, bytes, head_length);     \
  }

DECODE("decode raw, 64 floats", 64, Blob(64), 0)
DECODE("decode head + binary, 64 floats", 64, Head(64) + Blob(64), static_cast<int64_t>(Head(64).size()))
DECODE("decode head + binary, 1000 floats", 1000, Head(1000) + Blob(1000),
       static_cast<int64_t>(Head(1000).size()))
DECODE("decode json, 64 floats of 17 digits", 64, JsonBody(64, 17), -1)
DECODE("decode json, 1000 floats of 17 digits", 1000, JsonBody(1000, 17), -1)
DECODE("decode json, 1000 floats of 9 digits", 1000, JsonBody(1000, 9), -1)
DECODE("decode json, 1000 floats of 6 digits", 1000, JsonBody(1000, 6), -1)

#define ENCODE(name, columns, is_binary)                      \
  MICRO(name) {                                               \
    static const ModelSpec spec = Spec(columns);              \
    static const std::vector<float> values = Values(columns); \
    Encode(times, spec, values, is_binary);                   \
  }

ENCODE("encode binary, 10 floats", 10, true)
ENCODE("encode json, 10 floats", 10, false)
ENCODE("encode binary, 1000 floats", 1000, true)
ENCODE("encode json, 1000 floats", 1000, false)

}  // namespace
}  // namespace sluice
