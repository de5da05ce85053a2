// Frames into requests and runs into reply frames, against values known on paper and the library's own
// verifier.
#include "codec/frame_decoder.h"

#include <random>

#include "base/clock.h"
#include "check.h"
#include "codec/frame_bundle.h"
#include "codec/frame_encoder.h"
#include "frames.h"
#include "specs.h"

namespace sluice {
namespace {

using namespace test;

struct Taken {
  Status status;
  FrameHead head;
  Request request;
};

// As the binding does it: the message is copied into the request, verified there, and decoded when it is a
// request.
void Take(const ModelSpec& spec, const std::vector<uint8_t>& message, Taken* taken) {
  static FrameDecoder decoder;
  taken->request.body.Append(message.data(), message.size());
  taken->status = ReadFrameHead(taken->request.body.data(), taken->request.body.size(), &taken->head);
  if (taken->status.ok() && taken->head.kind == FrameKind::kRequest)
    taken->status = decoder.Decode(spec, &taken->request);
}

Code CodeOf(const ModelSpec& spec, const std::vector<uint8_t>& message) {
  Taken taken;
  Take(spec, message, &taken);
  return taken.status.code();
}

template <typename T>
T Element(const Request& request, size_t index, size_t input = 0) {
  T value;
  std::memcpy(&value, request.inputs[input].bytes + index * sizeof(T), sizeof(T));
  return value;
}

SentTensor Floats(std::vector<int64_t> shape, std::vector<float> elements) {
  return {"x", 0, wire::DataType::FP32, std::move(shape), BytesOf(elements)};
}

SentRequest With(SentTensor tensor) {
  SentRequest sent;
  sent.inputs.push_back(std::move(tensor));
  return sent;
}

TEST("a request frame becomes the model's inputs, by name or by position, in any order") {
  const ModelSpec spec = Model({Tensor("a", DataType::kInt32, {1}), Tensor("b", DataType::kFp64, {2})},
                               {Tensor("y", DataType::kFp32, {2})});
  SentRequest sent;
  sent.id = 4294967295u;
  sent.inputs.push_back({nullptr, 1, wire::DataType::FP64, {2, 2}, BytesOf<double>({1.5, -2, 3, 1e300})});
  sent.inputs.push_back({"a", 0, wire::DataType::INT32, {2, 1}, BytesOf<int32_t>({5, -6})});
  Taken taken;
  Take(spec, RequestFrame(sent), &taken);
  CHECK_EQ(taken.status.message(), "");
  CHECK_EQ(taken.head.id, 4294967295u);
  CHECK_EQ(taken.head.model_number, 1u);
  CHECK_EQ(taken.request.rows, 2);
  CHECK_EQ(Element<int32_t>(taken.request, 1, 0), -6);
  CHECK_EQ(Element<double>(taken.request, 3, 1), 1e300);
  CHECK_EQ(taken.request.wanted_outputs, 1u);
}

TEST("what does not fit the model is refused with the code that V2 has for it") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  CHECK(CodeOf(spec, RequestFrame(With(Floats({1, 2}, {1, 2})))) == Code::kOk);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({1, 3}, {1, 2, 3})))) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({9, 2}, std::vector<float>(18))))) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({1, 2}, {1})))) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({1, 2}, {1, 2, 3})))) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({-1, 2}, {1, 2})))) == Code::kBadRequest);
  CHECK(CodeOf(spec, RequestFrame(With(Floats({16, (int64_t{1} << 60) + 2}, {1})))) == Code::kShapeMismatch);
  CHECK(CodeOf(spec, RequestFrame(With(Floats(std::vector<int64_t>(17, 1), {1})))) == Code::kShapeMismatch);
  SentTensor other = Floats({1, 2}, {1, 2});
  other.type = wire::DataType::INT32;
  CHECK(CodeOf(spec, RequestFrame(With(other))) == Code::kTypeMismatch);
  other.type = static_cast<wire::DataType>(200);
  CHECK(CodeOf(spec, RequestFrame(With(other))) == Code::kTypeMismatch);
  other = Floats({1, 2}, {1, 2});
  other.name = "z";
  CHECK(CodeOf(spec, RequestFrame(With(other))) == Code::kUnknownTensor);
  other.name = nullptr;
  other.position = 1;
  CHECK(CodeOf(spec, RequestFrame(With(other))) == Code::kUnknownTensor);
  SentRequest twice = With(Floats({1, 2}, {1, 2}));
  twice.inputs.push_back(twice.inputs[0]);
  CHECK(CodeOf(spec, RequestFrame(twice)) == Code::kBadRequest);
  CHECK(CodeOf(spec, RequestFrame(SentRequest())) == Code::kUnknownTensor);
  SentRequest choice = With(Floats({1, 2}, {1, 2}));
  choice.outputs = {0, 0};
  CHECK(CodeOf(spec, RequestFrame(choice)) == Code::kBadRequest);
  choice.outputs = {1};
  CHECK(CodeOf(spec, RequestFrame(choice)) == Code::kUnknownTensor);
}

TEST("strings in a frame are walked through before they are believed") {
  const ModelSpec spec = OneInput(DataType::kBytes, {2});
  SentTensor tensor{"x", 0, wire::DataType::BYTES, {1, 2}, BytesOfStrings({"one", ""})};
  CHECK(CodeOf(spec, RequestFrame(With(tensor))) == Code::kOk);
  tensor.bytes.pop_back();
  CHECK(CodeOf(spec, RequestFrame(With(tensor))) == Code::kBadRequest);
  tensor.bytes = BytesOfStrings({"one", "", "more"});
  CHECK(CodeOf(spec, RequestFrame(With(tensor))) == Code::kBadRequest);
  tensor.bytes[0] = 255;
  CHECK(CodeOf(spec, RequestFrame(With(tensor))) == Code::kBadRequest);
}

TEST("a tensor without elements needs no bytes") {
  const ModelSpec spec = OneInput(DataType::kFp32, {-1});
  Taken taken;
  Take(spec, RequestFrame(With(Floats({1, 0}, {}))), &taken);
  CHECK_EQ(taken.status.message(), "");
  CHECK_EQ(taken.request.inputs[0].byte_count, size_t{0});
}

TEST("a cancel frame is known as one, a frame of the server too") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  Taken taken;
  Take(spec, CancelFrame(99), &taken);
  CHECK(taken.status.ok() && taken.head.kind == FrameKind::kCancel);
  CHECK_EQ(taken.head.id, 99u);
  flatbuffers::FlatBufferBuilder builder;
  const auto hello = wire::CreateHello(builder, 1);
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, 0, 0, 0, 0, hello));
  Taken other;
  Take(spec, Finished(&builder), &other);
  CHECK(other.status.ok() && other.head.kind == FrameKind::kOfServer);
}

TEST("what is no frame is refused: nothing, noise, another identifier, two kinds in one, none") {
  const ModelSpec spec = OneInput(DataType::kFp32, {2});
  CHECK(CodeOf(spec, {}) == Code::kBadRequest);
  CHECK(CodeOf(spec, std::vector<uint8_t>(64, 0xff)) == Code::kBadRequest);
  std::vector<uint8_t> frame = CancelFrame(1);
  frame[7] = '2';
  CHECK(CodeOf(spec, frame) == Code::kBadRequest);
  flatbuffers::FlatBufferBuilder both;
  const auto request = wire::CreateInferRequest(both, 1, 1);
  const auto cancel = wire::CreateCancel(both, 1);
  wire::FinishFrameBuffer(both, wire::CreateFrame(both, request, cancel));
  CHECK(CodeOf(spec, Finished(&both)) == Code::kBadRequest);
  flatbuffers::FlatBufferBuilder none;
  wire::FinishFrameBuffer(none, wire::CreateFrame(none));
  CHECK(CodeOf(spec, Finished(&none)) == Code::kBadRequest);
}

TEST("many offsets to one tensor are refused before they cost anything") {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int64_t> shape{1, 2};
  const auto tensor = wire::CreateTensorDirect(builder, "x", 0, wire::DataType::FP32, &shape);
  const std::vector<flatbuffers::Offset<wire::Tensor>> inputs(100'000, tensor);
  const auto request = wire::CreateInferRequestDirect(builder, 1, 1, nullptr, nullptr, &inputs);
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, request));
  CHECK(CodeOf(OneInput(DataType::kFp32, {2}), Finished(&builder)) == Code::kBadRequest);
}

TEST("a request with all the tensors and output choices there can be is within the limits") {
  std::vector<TensorSpec> inputs, outputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < kMaxTensors; ++i) names.push_back("t" + std::to_string(i));
  SentRequest sent;
  for (size_t i = 0; i < kMaxTensors; ++i) {
    inputs.push_back(Tensor(names[i].c_str(), DataType::kFp32, {1}));
    outputs.push_back(Tensor(names[i].c_str(), DataType::kFp32, {1}));
    sent.inputs.push_back({names[i].c_str(), 0, wire::DataType::FP32, {1, 1}, BytesOf<float>({1})});
    sent.outputs.push_back(static_cast<uint16_t>(i));
  }
  Taken taken;
  Take(Model(inputs, outputs), RequestFrame(sent), &taken);
  CHECK_EQ(taken.status.message(), "");
  CHECK_EQ(taken.request.wanted_outputs, ~uint64_t{0});
}

TEST(
    "every truncation is refused, and every one-byte change is refused or decodes to values inside the "
    "message") {
  const ModelSpec spec = OneInput(DataType::kFp32, {-1});
  SentRequest sent = With(Floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  sent.model = "digits";
  sent.model_number = 0;
  sent.outputs = {0};
  const std::vector<uint8_t> frame = RequestFrame(sent);
  for (size_t length = 0; length < frame.size(); ++length) {
    Taken taken;
    Take(spec, {frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)}, &taken);
    // Padding may be missing; then the message still says the same.
    if (taken.status.ok()) CHECK_EQ(Element<float>(taken.request, 5), 6.0f);
  }
  std::mt19937 random(1);
  for (size_t at = 0; at < frame.size(); ++at) {
    for (int round = 0; round < 8; ++round) {
      std::vector<uint8_t> mutant = frame;
      mutant[at] = static_cast<uint8_t>(random());
      Taken taken;
      Take(spec, mutant, &taken);
      if (!taken.status.ok() || taken.head.kind != FrameKind::kRequest) continue;
      const RequestInput& input = taken.request.inputs[0];
      CHECK(input.bytes >= taken.request.body.data());
      CHECK(input.bytes + input.byte_count <= taken.request.body.data() + taken.request.body.size());
    }
  }
}

OutputRows Rows(std::vector<int64_t> dims, const std::vector<uint8_t>& bytes) {
  OutputRows rows;
  rows.elements = 1;
  for (const int64_t dim : dims) {
    rows.dims.Push(dim);
    rows.elements *= dim;
  }
  rows.bytes = bytes.data();
  rows.byte_count = bytes.size();
  return rows;
}

ModelSpec TwoOutputs() {
  ModelSpec spec = Model({Tensor("x", DataType::kFp32, {2})},
                         {Tensor("words", DataType::kBytes, {1}), Tensor("y", DataType::kFp64, {-1})});
  spec.name = "näme";
  spec.version = "12";
  LayReplyFrame(&spec);
  return spec;
}

const wire::InferResponse* Verified(const Request& request) {
  flatbuffers::Verifier verifier(request.reply.data(), request.reply.size());
  CHECK(wire::VerifyFrameBuffer(verifier));
  return wire::GetFrame(request.reply.data())->response();
}

TEST("a reply frame is a valid FlatBuffer that says what the run made, tensors aligned to 16") {
  const ModelSpec spec = TwoOutputs();
  const std::vector<uint8_t> words = BytesOfStrings({"abc"});
  const std::vector<uint8_t> numbers = BytesOf<double>({1.5, 2.5, -3});
  Request request;
  request.frame_id = 4000000000u;
  request.wanted_outputs = 3;
  CHECK(EncodeFrame(spec, {Rows({1, 1}, words), Rows({1, 3}, numbers)}, &request).ok());
  const wire::InferResponse* response = Verified(request);
  CHECK_EQ(response->id(), 4000000000u);
  CHECK_EQ(response->model()->str(), "näme");
  CHECK_EQ(response->version()->str(), "12");
  CHECK_EQ(response->outputs()->size(), 2u);
  const wire::Tensor* first = response->outputs()->Get(0);
  CHECK_EQ(first->name()->str(), "words");
  CHECK(first->datatype() == wire::DataType::BYTES);
  CHECK(std::equal(words.begin(), words.end(), first->data()->begin(), first->data()->end()));
  const wire::Tensor* second = response->outputs()->Get(1);
  CHECK_EQ(second->position(), 1);
  CHECK_EQ(second->shape()->Get(0), 1);
  CHECK_EQ(second->shape()->Get(1), 3);
  CHECK(std::equal(numbers.begin(), numbers.end(), second->data()->begin(), second->data()->end()));
  CHECK_EQ((second->data()->Data() - request.reply.data()) % 16, 0);
}

TEST("some outputs alone, and ranks that differ from the signature, make valid frames too") {
  const ModelSpec spec = TwoOutputs();
  const std::vector<uint8_t> words = BytesOfStrings({"abc"});
  const std::vector<uint8_t> numbers = BytesOf<double>({1.5, 2.5});
  Request request;
  request.wanted_outputs = 2;
  CHECK(EncodeFrame(spec, {Rows({1, 1}, words), Rows({1, 2, 1}, numbers)}, &request).ok());
  const wire::InferResponse* response = Verified(request);
  CHECK_EQ(response->outputs()->size(), 1u);
  CHECK_EQ(response->outputs()->Get(0)->position(), 1);
  CHECK_EQ(response->outputs()->Get(0)->shape()->size(), 3u);
}

TEST("a reply tells the times of its stages where they were asked for, and only there") {
  const ModelSpec spec = TwoOutputs();
  const std::vector<uint8_t> words = BytesOfStrings({"abc"});
  const std::vector<uint8_t> numbers = BytesOf<double>({1.5, 2.5});
  Request request;
  // All outputs are laid out beforehand, one alone is not.
  for (const uint64_t wanted : {3, 2}) {
    request.wanted_outputs = wanted;
    request.wants_times = true;
    request.ran_ns = NowNs() - 4'000'000;
    request.taken_ns = request.ran_ns - 3'000'000;
    request.decoded_ns = request.taken_ns - 2'000'000;
    request.submitted_ns = request.decoded_ns - 1'000'000;
    CHECK(EncodeFrame(spec, {Rows({1, 1}, words), Rows({1, 2}, numbers)}, &request).ok());
    const int64_t since_run_us = (NowNs() - request.ran_ns) / 1000;
    const wire::InferResponse* response = Verified(request);
    CHECK_EQ(response->model()->str(), "näme");
    const wire::Tensor* last = response->outputs()->Get(response->outputs()->size() - 1);
    CHECK(std::equal(numbers.begin(), numbers.end(), last->data()->begin(), last->data()->end()));
    CHECK_EQ((last->data()->Data() - request.reply.data()) % 16, 0);
    CHECK(response->times() != nullptr);
    CHECK_EQ(response->times()->decode_us(), 1000u);
    CHECK_EQ(response->times()->queue_us(), 2000u);
    CHECK_EQ(response->times()->run_us(), 3000u);
    CHECK(response->times()->encode_us() >= 4000u);
    CHECK(response->times()->encode_us() <= since_run_us);
    request.wants_times = false;
    CHECK(EncodeFrame(spec, {Rows({1, 1}, words), Rows({1, 2}, numbers)}, &request).ok());
    CHECK(Verified(request)->times() == nullptr);
  }
}

TEST("no byte of an earlier reply is left in a later one") {
  const ModelSpec spec = TwoOutputs();
  const std::vector<uint8_t> secret(4096, 0xaa);
  const std::vector<uint8_t> word = BytesOfStrings({"x"});
  const std::vector<uint8_t> number = BytesOf<double>({0});
  Request request;
  request.wanted_outputs = 3;
  CHECK(EncodeFrame(spec, {Rows({1, 1}, secret), Rows({1, 512}, secret)}, &request).ok());
  CHECK(EncodeFrame(spec, {Rows({1, 1}, word), Rows({1, 1}, number)}, &request).ok());
  CHECK_EQ(std::count(request.reply.data(), request.reply.data() + request.reply.size(), 0xaa), 0);
}

// The lengths of the frames of a bundle; -1 where it is refused.
std::vector<int> Lengths(const std::vector<uint8_t>& message) {
  std::vector<int> lengths;
  for (size_t at = 0; at < message.size();) {
    BundledFrame frame;
    if (!NextInBundle(message.data(), message.size(), &at, &frame).ok()) {
      lengths.push_back(-1);
      break;
    }
    for (size_t i = 0; i < frame.size; ++i) CHECK_EQ(static_cast<size_t>(frame.bytes[i]), frame.size);
    lengths.push_back(static_cast<int>(frame.size));
  }
  return lengths;
}

TEST("a bundle is taken apart frame by frame, and refused where its records do not add up") {
  std::vector<uint8_t> message(112);
  size_t at = 0;
  for (const uint8_t size : {3, 16, 20}) {
    WriteRecord(message.data() + at, size);
    std::fill_n(message.data() + at + kRecordBytes, size, size);
    at = NextRecordAt(at + kRecordBytes + size);
  }
  CHECK_EQ(at, size_t{112});
  message.resize(100);  // the last frame without its padding
  CHECK(IsBundle(message.data(), message.size()));
  CHECK(Lengths(message) == (std::vector<int>{3, 16, 20}));
  for (size_t size = 16; size < message.size(); ++size) {
    std::vector<uint8_t> cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
    // Whole frames end at 19 (their padding at 32) and at 64.
    const bool is_whole = (size >= 19 && size <= 32) || size == 64;
    CHECK_EQ(Lengths(cut).back() != -1, is_whole);
  }
  CHECK(!IsBundle(message.data(), 15));
  message[0] = 255;
  message[3] = 255;
  CHECK(Lengths(message) == std::vector<int>{-1});
  message[4] = 'x';
  CHECK(!IsBundle(message.data(), message.size()));
}

}  // namespace
}  // namespace sluice
