// Decoding and encoding where one allocation fails: a clean error, and afterwards the same decoder and the
// same request take the same bytes rightly.
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "check.h"
#include "codec/frame_encoder.h"
#include "codec/reply_encoder.h"
#include "codec/request_decoder.h"
#include "frames.h"
#include "memory/failing_memory.h"
#include "specs.h"

namespace sluice::test {
namespace {

struct Message {
  WireForm wire = WireForm::kV2;
  std::vector<uint8_t> bytes;
  int64_t head_length = -1;
};

Message Json(const std::string& text) { return {WireForm::kV2, {text.begin(), text.end()}, -1}; }

Message WithBlob(const std::string& head, const std::vector<uint8_t>& blob) {
  Message message = Json(head);
  message.head_length = static_cast<int64_t>(head.size());
  message.bytes.insert(message.bytes.end(), blob.begin(), blob.end());
  return message;
}

// In the form of the request's own reply, the tensors that were decoded.
std::string Decoded(const Request& request) {
  std::string text = std::to_string(request.rows) + "/" + request.id_json;
  for (const RequestInput& input : request.inputs) {
    text += "/" + std::to_string(input.elements) + ":";
    text.append(reinterpret_cast<const char*>(input.bytes), input.byte_count);
  }
  return text;
}

Status Decode(const ModelSpec& spec, const Message& message, bool is_owned, RequestDecoder* decoder,
              Request* request) {
  request->wire = message.wire;
  if (!is_owned) {
    return decoder->v2()->Decode(spec, message.bytes.data(), message.bytes.size(), message.head_length,
                                 request);
  }
  request->body.Clear();
  request->body.Append(message.bytes.data(), message.bytes.size());
  request->body.Reserve(1);
  request->head_length = message.head_length;
  if (message.wire == WireForm::kFrame) {
    FrameHead head;
    if (Status status = ReadFrameHead(request->body.data(), request->body.size(), &head); !status.ok())
      return status;
  }
  return decoder->DecodeOwned(spec, request);
}

// `message` comes after another one of the same length and before itself.
std::string DecodeRound(const ModelSpec& spec, const Message& before, const Message& message, bool is_owned,
                        const std::string& expected) {
  std::unique_ptr<RequestDecoder> decoder;
  std::unique_ptr<Request> request;
  bool is_decoded = false;
  try {
    decoder = std::make_unique<RequestDecoder>();
    request = std::make_unique<Request>();
    // A body that is in order is never told to be bad.
    if (!Decode(spec, before, is_owned, decoder.get(), request.get()).ok()) return "a good body was refused";
    is_decoded = Decode(spec, message, is_owned, decoder.get(), request.get()).ok();
    if (!is_decoded) return "a good body was refused";
  } catch (const std::bad_alloc&) {
  }
  StopFailing();
  std::string wrong;
  if (decoder == nullptr || request == nullptr) return wrong;
  if (is_decoded && Decoded(*request) != expected) wrong = "a wrong tensor";
  if (!is_decoded && !HasFailed()) wrong = "an error without a failure";
  Request again;
  if (!Decode(spec, message, is_owned, decoder.get(), &again).ok() || Decoded(again) != expected)
    wrong = "a decoder that is no longer right";
  return wrong;
}

void SweepDecode(const ModelSpec& spec, const Message& before, const Message& message, bool is_owned) {
  std::string expected;
  {
    RequestDecoder decoder;
    Request request;
    CHECK(Decode(spec, message, is_owned, &decoder, &request).ok());
    expected = Decoded(request);
  }
  int64_t rounds = 0;
  const std::string wrong =
      SweepAllocations([&] { return DecodeRound(spec, before, message, is_owned, expected); }, &rounds);
  CHECK_EQ(wrong, "");
  CHECK(rounds > 3);
}

TEST("a body of JSON is decoded or refused whichever allocation fails") {
  const ModelSpec spec = OneInput(DataType::kInt32, {2});
  const std::string tail = R"("inputs":[{"name":"x","datatype":"INT32","shape":[1,2],"data":[)";
  const Message one = Json(R"({"id":"a request with a long id, once",)" + tail + "1,2]}]}");
  const Message two = Json(R"({"id":"a request with a long id, next",)" + tail + "3,4]}]}");
  SweepDecode(spec, one, two, false);
  SweepDecode(spec, one, two, true);
}

TEST("a binary body, its kept head included, is decoded or refused whichever allocation fails") {
  const ModelSpec spec = OneInput(DataType::kInt32, {2});
  const auto head = [](const char* id, int rows) {
    return std::string(R"({"id":")") + id +
           R"( is long enough for memory of its own","inputs":[{"name":"x","datatype":"INT32","shape":[)" +
           std::to_string(rows) + R"(,2],"parameters":{"binary_data_size":)" + std::to_string(rows * 8) +
           "}}]}";
  };
  const Message one = WithBlob(head("one", 1), BytesOf(std::vector<int32_t>{1, 2}));
  const Message two = WithBlob(head("two", 2), BytesOf(std::vector<int32_t>{3, 4, 5, 6}));
  SweepDecode(spec, one, two, false);
  SweepDecode(spec, one, two, true);
}

TEST("strings and raw bodies are decoded or refused whichever allocation fails") {
  const ModelSpec strings = OneInput(DataType::kBytes, {2});
  const auto text = [](const char* a) {
    return Json(std::string(R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1,2],"data":[")") + a +
                R"( that is longer than a short one","b"]}]})");
  };
  SweepDecode(strings, text("some"), text("more"), false);
  const ModelSpec floats = OneInput(DataType::kFp32, {2});
  Message raw{WireForm::kV2, BytesOf(std::vector<float>{1, 2}), 0};
  SweepDecode(floats, raw, raw, false);
}

TEST("a frame is decoded or refused whichever allocation fails") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  const auto frame = [](std::vector<float> elements) {
    SentRequest sent;
    const auto rows = static_cast<int64_t>(elements.size() / 2);
    sent.inputs.push_back({"x", 0, wire::DataType::FP32, {rows, 2}, BytesOf(elements)});
    return Message{WireForm::kFrame, RequestFrame(sent), -1};
  };
  SweepDecode(spec, frame({1, 2}), frame({3, 4, 5, 6}), true);
}

std::string EncodeRound(const ModelSpec& spec, WireForm wire, bool is_binary, const std::string& expected,
                        std::string* got) {
  const std::vector<float> elements = {1.5F, 2.5F};
  Request request;
  bool is_encoded = false;
  try {
    request.wire = wire;
    request.rows = 1;
    request.id_json = "\"an id that is long enough for memory of its own\"";
    request.wanted_outputs = 1;
    request.binary_outputs = is_binary ? 1 : 0;
    OutputRows rows;
    rows.dims.Push(1);
    rows.dims.Push(2);
    rows.bytes = reinterpret_cast<const uint8_t*>(elements.data());
    rows.byte_count = 8;
    rows.elements = 2;
    is_encoded = EncodeReply(spec, {rows}, &request).ok();
  } catch (const std::bad_alloc&) {
  }
  if (!is_encoded) {
    request.Fail(Status(Code::kRunFailed, "a message that is long enough for memory of its own"));
    return HasFailed() ? "" : "an error without a failure";
  }
  const std::string reply(reinterpret_cast<const char*>(request.reply.data()), request.reply.size());
  if (got != nullptr) *got = reply;
  return got == nullptr && reply != expected ? "a wrong reply" : "";
}

TEST("a reply is encoded or failed whichever allocation fails") {
  ModelSpec spec = OneInput(DataType::kFp32, {2});
  LayReplyFrame(&spec);
  for (const WireForm wire : {WireForm::kV2, WireForm::kFrame}) {
    for (const bool is_binary : {false, true}) {
      std::string expected;
      CHECK_EQ(EncodeRound(spec, wire, is_binary, "", &expected), "");
      CHECK(!expected.empty());
      int64_t rounds = 0;
      const auto round = [&]() -> std::string {
        try {
          return EncodeRound(spec, wire, is_binary, expected, nullptr);
        } catch (const std::bad_alloc&) {
          return "";  // the test's own
        }
      };
      CHECK_EQ(SweepAllocations(round, &rounds), "");
      CHECK(rounds > 2);
    }
  }
}

}  // namespace
}  // namespace sluice::test
