// Decoding and encoding of V2 bodies against values known on paper.
#include "codec/v2_decoder.h"
#include "codec/v2_encoder.h"

#include <cmath>
#include <cstring>

#include "check.h"
#include "specs.h"

namespace sluice {
namespace {

using namespace test;

struct Decoded {
  Status status;
  Request request;
};

// Decodes from a heap block of exactly the body's size, so that a sanitizer sees every read beyond it.
void Decode(const ModelSpec& spec, const std::string& body, int64_t head_length, Decoded* decoded) {
  static V2Decoder decoder;
  auto exact = std::make_unique<uint8_t[]>(body.size());
  std::memcpy(exact.get(), body.data(), body.size());
  decoded->status = decoder.Decode(spec, exact.get(), body.size(), head_length, &decoded->request);
}

Code CodeOf(const ModelSpec& spec, const std::string& body, int64_t head_length = -1) {
  Decoded decoded;
  Decode(spec, body, head_length, &decoded);
  return decoded.status.code();
}

template <typename T>
T Element(const Request& request, size_t index, size_t input = 0) {
  T value;
  std::memcpy(&value, request.inputs[input].bytes + index * sizeof(T), sizeof(T));
  return value;
}

std::string Input(const std::string& shape, const std::string& type, const std::string& elements) {
  return "{\"inputs\":[{\"name\":\"x\",\"shape\":" + shape + ",\"datatype\":\"" + type +
         "\",\"data\":" + elements + "}]}";
}

TEST("JSON numbers become the model's elements, flat or nested") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  for (const char* elements : {"[1.5,-2,3e2,0.1]", "[[1.5,-2],[3e2,0.1]]", "[[[1.5],[-2]],[3e2,[[0.1]]]]"}) {
    Decoded decoded;
    Decode(spec, Input("[2,2]", "FP32", elements), -1, &decoded);
    CHECK_EQ(decoded.status.message(), "");
    CHECK_EQ(decoded.request.rows, 2);
    CHECK_EQ(Element<float>(decoded.request, 0), 1.5f);
    CHECK_EQ(Element<float>(decoded.request, 1), -2.0f);
    CHECK_EQ(Element<float>(decoded.request, 2), 300.0f);
    CHECK_EQ(Element<float>(decoded.request, 3), 0.1f);
  }
}

TEST("64-bit integers are exact at both ends") {
  Decoded ints, naturals;
  Decode(OneInput(DataType::kInt64, {2}), Input("[1,2]", "INT64", "[-9223372036854775808,9007199254740993]"),
         -1, &ints);
  CHECK_EQ(Element<int64_t>(ints.request, 0), INT64_MIN);
  CHECK_EQ(Element<int64_t>(ints.request, 1), 9007199254740993);
  Decode(OneInput(DataType::kUint64, {1}), Input("[1,1]", "UINT64", "[18446744073709551615]"), -1, &naturals);
  CHECK_EQ(Element<uint64_t>(naturals.request, 0), UINT64_MAX);
}

TEST("NaN and the infinities are taken as tokens, and only for floats") {
  Decoded decoded;
  Decode(OneInput(DataType::kFp64, {3}), Input("[1,3]", "FP64", "[NaN,Infinity,-Infinity]"), -1, &decoded);
  CHECK_EQ(decoded.status.message(), "");
  CHECK(std::isnan(Element<double>(decoded.request, 0)));
  CHECK_EQ(Element<double>(decoded.request, 1), INFINITY);
  CHECK_EQ(Element<double>(decoded.request, 2), -INFINITY);
  CHECK(CodeOf(OneInput(DataType::kInt32, {1}), Input("[1,1]", "INT32", "[NaN]")) == Code::kTypeMismatch);
}

TEST("what an element type cannot hold is refused, not wrapped") {
  CHECK(CodeOf(OneInput(DataType::kUint8, {1}), Input("[1,1]", "UINT8", "[300]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kInt8, {1}), Input("[1,1]", "INT8", "[-129]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kInt32, {1}), Input("[1,1]", "INT32", "[1.0]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kInt32, {1}), Input("[1,1]", "INT32", "[\"1\"]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kBool, {1}), Input("[1,1]", "BOOL", "[1]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kFp32, {1}), Input("[1,1]", "FP32", "[1e39]")) == Code::kTypeMismatch);
  CHECK(CodeOf(OneInput(DataType::kInt64, {1}), Input("[1,1]", "INT64", "[9223372036854775808]")) ==
        Code::kTypeMismatch);
}

TEST("the members of an input may come in any order, unknown ones are passed over") {
  Decoded decoded;
  Decode(OneInput(DataType::kInt32, {2}),
         "{\"model_name\":\"m\",\"x\":[[{}]],\"inputs\":[{\"data\":[7,8],\"extra\":{\"a\":[1]},\"datatype\":"
         "\"INT32\","
         "\"shape\":[1,2],\"name\":\"x\"}],\"id\":\"a\\\"b\"}",
         -1, &decoded);
  CHECK_EQ(decoded.status.message(), "");
  CHECK_EQ(Element<int32_t>(decoded.request, 1), 8);
  CHECK_EQ(decoded.request.id_json, "\"a\\\"b\"");
}

TEST("shapes that lie are refused before any memory is taken for them") {
  const ModelSpec spec = OneInput(DataType::kFp32, {-1}, 8);
  CHECK(CodeOf(spec, Input("[1,4]", "FP32", "[1,2,3]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[1,2]", "FP32", "[1,2,3]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[9,1]", "FP32", "[1]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[0,1]", "FP32", "[]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[1]", "FP32", "[1]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[1,-1]", "FP32", "[1]")) == Code::kBadRequest);
  CHECK(CodeOf(spec, Input("[1,1.5]", "FP32", "[1]")) == Code::kBadRequest);
  CHECK(CodeOf(spec, Input("[1,1099511627776]", "FP32", "[1]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[16,1152921504606846978]", "FP32", "[1]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[4,4611686018427387906]", "FP32", "[1]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[1,0]", "FP32", "[]")) == Code::kOk);
}

TEST("rows without elements are not more than a batch, even where a request may be run in pieces") {
  ModelSpec spec = OneInput(DataType::kFp32, {-1});
  spec.may_exceed_batch = true;
  CHECK(CodeOf(spec, Input("[1000000000000,0]", "FP32", "[]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[9,0]", "FP32", "[]")) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, Input("[8,0]", "FP32", "[]")) == Code::kOk);
  CHECK(CodeOf(spec, Input("[9,1]", "FP32", "[1,2,3,4,5,6,7,8,9]")) == Code::kOk);
}

TEST("broken, deep and trailing JSON is a bad request") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  const std::string good = Input("[1,2]", "FP32", "[1,2]");
  CHECK(CodeOf(spec, good) == Code::kOk);
  for (size_t length = 0; length < good.size(); ++length) {
    if (CodeOf(spec, good.substr(0, length)) != Code::kBadRequest) CHECK_EQ(length, size_t{0});
  }
  CHECK(CodeOf(spec, good + "x") == Code::kBadRequest);
  CHECK(CodeOf(spec, good + "{}") == Code::kBadRequest);
  CHECK(CodeOf(spec, good + " \n") == Code::kOk);
  CHECK(CodeOf(spec, "[1]") == Code::kBadRequest);
  CHECK(CodeOf(spec, "{\"inputs\":[{\"name\":\"\xff\"}]}") == Code::kBadRequest);
  CHECK(CodeOf(spec, Input("[1,2]", "FP32", std::string(250000, '['))) == Code::kBadRequest);
  CHECK(CodeOf(spec, Input("[1,2]", "FP32", std::string(40, '[') + "1,2" + std::string(40, ']'))) ==
        Code::kBadRequest);
}

TEST("unknown, missing, double and wrongly typed tensors each have their error") {
  const ModelSpec spec = OneInput(DataType::kFp32, {1});
  const std::string x = "{\"name\":\"x\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[1]}";
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "," + x + "]}") == Code::kBadRequest);
  CHECK(CodeOf(spec, "{\"inputs\":[]}") == Code::kUnknownTensor);
  CHECK(CodeOf(spec, "{}") == Code::kBadRequest);
  CHECK(CodeOf(spec, "{\"inputs\":[{\"name\":\"__proto__\"}]}") == Code::kUnknownTensor);
  CHECK(CodeOf(spec, Input("[1,1]", "FP64", "[1]")) == Code::kTypeMismatch);
  CHECK(CodeOf(spec, Input("[1,1]", "fp32", "[1]")) == Code::kTypeMismatch);
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "],\"outputs\":[{\"name\":\"z\"}]}") == Code::kUnknownTensor);
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "],\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}]}") ==
        Code::kBadRequest);
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "],\"outputs\":null,\"id\":null,\"parameters\":null}") ==
        Code::kOk);
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "],\"id\":7}") == Code::kBadRequest);
  CHECK(CodeOf(spec, "{\"inputs\":[" + x + "],\"parameters\":{\"a\":{}}}") == Code::kBadRequest);
}

TEST("binary tensors follow the JSON part, to the byte") {
  const ModelSpec spec = OneInput(DataType::kInt32, {2});
  const auto head = [](const std::string& size) {
    return "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"INT32\",\"parameters\":{\"binary_"
           "data_size\":" +
           size + "}}],\"parameters\":{\"binary_data_output\":true}}";
  };
  const std::string json = head("8");
  const auto length = static_cast<int64_t>(json.size());
  const std::string blob("\x01\x00\x00\x00\xff\xff\xff\xff", 8);
  // Twice: the second time the plan of the same JSON is used again.
  for (int i = 0; i < 2; ++i) {
    Decoded decoded;
    Decode(spec, json + blob, length, &decoded);
    CHECK_EQ(decoded.status.message(), "");
    CHECK_EQ(Element<int32_t>(decoded.request, 0), 1);
    CHECK_EQ(Element<int32_t>(decoded.request, 1), -1);
    CHECK_EQ(decoded.request.binary_outputs, uint64_t{1});
    CHECK(CodeOf(spec, json + blob.substr(1), length) == Code::kBadRequest);
    CHECK(CodeOf(spec, json + blob + "x", length) == Code::kBadRequest);
  }
  CHECK(CodeOf(spec, json + blob, length + 20) == Code::kBadRequest);
  CHECK(CodeOf(spec, json, -1) == Code::kBadRequest);
  for (const char* size : {"7", "9", "0", "100000000000", "18446744073709551615"}) {
    CHECK(CodeOf(spec, head(size) + blob, static_cast<int64_t>(head(size).size())) == Code::kShapeMismatch);
  }
  for (const char* size : {"-8", "\"8\"", "0x8", "8.0", "NaN"}) {
    CHECK(CodeOf(spec, head(size) + blob, static_cast<int64_t>(head(size).size())) == Code::kBadRequest);
  }
}

TEST("timeout and priority of the body reach the request, also where the same JSON comes again") {
  const ModelSpec spec = OneInput(DataType::kInt32, {2});
  const auto json = [](const std::string& parameters) {
    return "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"INT32\",\"parameters\":{\"binary_"
           "data_"
           "size\":8}}],\"parameters\":{" +
           parameters + "}}";
  };
  const std::string blob(8, '\0');
  const std::string urgent = json("\"priority\":2,\"timeout\":1500");
  for (int i = 0; i < 2; ++i) {
    Decoded decoded;
    decoded.request.queue_timeout_ns = 7;
    Decode(spec, urgent + blob, static_cast<int64_t>(urgent.size()), &decoded);
    CHECK_EQ(decoded.status.message(), "");
    CHECK_EQ(int{decoded.request.priority}, 2);
    CHECK_EQ(decoded.request.queue_timeout_ns, 1'500'000);
  }
  // What the caller of submit says beats the body; no body reaches the background class.
  Decoded background, lowest;
  background.request.priority = kBackgroundPriority;
  Decode(spec, urgent + blob, static_cast<int64_t>(urgent.size()), &background);
  CHECK_EQ(int{background.request.priority}, int{kBackgroundPriority});
  const std::string low = json("\"priority\":255");
  Decode(spec, low + blob, static_cast<int64_t>(low.size()), &lowest);
  CHECK_EQ(int{lowest.request.priority}, int{kLowestPriority});
  for (const char* bad : {"\"priority\":-1", "\"priority\":1.5", "\"timeout\":\"1\"", "\"timeout\":-3"}) {
    CHECK(CodeOf(spec, json(bad) + blob, static_cast<int64_t>(json(bad).size())) == Code::kBadRequest);
  }
}

TEST("strings are walked: lengths that lie are refused") {
  const ModelSpec spec = OneInput(DataType::kBytes, {2});
  const std::string json =
      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_"
      "size\":11}}]}";
  const auto length = static_cast<int64_t>(json.size());
  CHECK(CodeOf(spec, json + std::string("\x02\0\0\0ab\x01\0\0\0c", 11), length) == Code::kOk);
  CHECK(CodeOf(spec, json + std::string("\x03\0\0\0ab\x01\0\0\0c", 11), length) == Code::kBadRequest);
  CHECK(CodeOf(spec, json + std::string("\x02\0\0\0ab\x00\0\0\0c", 11), length) == Code::kBadRequest);
  CHECK(CodeOf(spec,
               json + std::string("\xff\xff\xff\xff"
                                  "ab\x01\0\0\0c",
                                  11),
               length) == Code::kBadRequest);
  Decoded decoded;
  Decode(spec, Input("[1,2]", "BYTES", "[\"\\u00e9\",\"\"]"), -1, &decoded);
  CHECK_EQ(decoded.status.message(), "");
  CHECK_EQ(std::string(reinterpret_cast<const char*>(decoded.request.inputs[0].bytes),
                       decoded.request.inputs[0].byte_count),
           std::string("\x02\0\0\0\xc3\xa9\0\0\0\0", 10));
}

TEST("a raw body is the one input's bytes") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2, -1});
  Decoded decoded;
  Decode(spec, std::string(24, '\0'), 0, &decoded);
  CHECK_EQ(decoded.status.message(), "");
  CHECK_EQ(decoded.request.inputs[0].dims.at[1], 3);
  CHECK(decoded.request.is_raw_reply);
  CHECK(CodeOf(spec, std::string(23, '\0'), 0) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, "", 0) == Code::kBadRequest);
}

TEST("FP16 has no JSON form in either direction") {
  CHECK(CodeOf(OneInput(DataType::kFp16, {1}), Input("[1,1]", "FP16", "[1]")) == Code::kTypeMismatch);
  const ModelSpec spec = Model({Tensor("x", DataType::kFp32, {1})}, {Tensor("y", DataType::kFp16, {1})});
  CHECK(CodeOf(spec, Input("[1,1]", "FP32", "[1]")) == Code::kTypeMismatch);
}

TEST("a reply tells the request's own batch, numbers in their shortest exact form") {
  const ModelSpec spec = Model({}, {Tensor("y", DataType::kFp32, {2}), Tensor("n", DataType::kInt64, {1})});
  const float y[] = {0.1f, -INFINITY};
  const int64_t n[] = {INT64_MIN};
  std::vector<OutputRows> outputs(2);
  outputs[0].dims.Push(1);
  outputs[0].dims.Push(2);
  outputs[0].bytes = reinterpret_cast<const uint8_t*>(y);
  outputs[0].byte_count = sizeof(y);
  outputs[0].elements = 2;
  outputs[1].dims.Push(1);
  outputs[1].dims.Push(1);
  outputs[1].bytes = reinterpret_cast<const uint8_t*>(n);
  outputs[1].byte_count = sizeof(n);
  outputs[1].elements = 1;
  Request request;
  request.id_json = "\"7\"";
  request.wanted_outputs = 3;
  CHECK(EncodeV2(spec, outputs, &request).ok());
  const auto text = [&] {
    return std::string(reinterpret_cast<const char*>(request.reply.data()), request.reply.size());
  };
  CHECK_EQ(text(),
           "{\"id\":\"7\",\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
           "\"datatype\":\"FP32\","
           "\"shape\":[1,2],\"data\":[0.1,-Infinity]},{\"name\":\"n\",\"datatype\":\"INT64\",\"shape\":[1,1],"
           "\"data\":[-9223372036854775808]}]}");
  CHECK_EQ(request.reply_head_bytes, size_t{0});
  request.wanted_outputs = 2;
  request.binary_outputs = 2;
  CHECK(EncodeV2(spec, outputs, &request).ok());
  CHECK_EQ(text().substr(0, request.reply_head_bytes),
           "{\"id\":\"7\",\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"n\","
           "\"datatype\":\"INT64\","
           "\"shape\":[1,1],\"parameters\":{\"binary_data_size\":8}}]}");
  CHECK_EQ(text().substr(request.reply_head_bytes), std::string("\0\0\0\0\0\0\0\x80", 8));
}

}  // namespace
}  // namespace sluice
