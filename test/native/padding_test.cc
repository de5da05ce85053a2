// Requests of different lengths in one run: what is gathered and what is cut back, against plain index
// arithmetic.
#include <cstring>
#include <functional>

#include "codec/pad_request.h"
#include "codec/v2_decoder.h"
#include "engine/cut_rows.h"
#include "run/batch_input.h"
#include "schedule/lane.h"

#include "check.h"
#include "specs.h"

namespace sluice {
namespace {

using namespace test;

Dims With(std::vector<int64_t> dims, int64_t rows, int64_t length) {
  Dims all;
  all.Push(rows);
  for (const int64_t dim : dims) all.Push(dim < 0 ? length : dim);
  return all;
}

int64_t Count(const Dims& dims) {
  int64_t count = 0;
  CHECK(ElementCount(dims, &count));
  return count;
}

// Where the element of `part` with the row-major number `number` lies in `whole`.
int64_t PlaceIn(const Dims& whole, const Dims& part, int64_t number) {
  int64_t index[kMaxRank];
  for (int d = part.rank - 1; d >= 0; --d) {
    index[d] = number % part.at[d];
    number /= part.at[d];
  }
  int64_t place = 0;
  for (int d = 0; d < whole.rank; ++d) place = place * whole.at[d] + index[d];
  return place;
}

std::vector<uint8_t> Bytes(size_t count, int seed) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<uint8_t>((i * 7 + static_cast<size_t>(seed)) % 251 + 1);
  return bytes;
}

// A decoded request of input "x", whose memory is `bytes`.
void Fill(const ModelSpec& spec, int64_t rows, int64_t length, const std::vector<uint8_t>& bytes,
          Request* request) {
  const TensorSpec& tensor = spec.inputs[0];
  request->rows = request->part_rows = rows;
  request->inputs.resize(1);
  RequestInput& input = request->inputs[0];
  const Dims all = With(tensor.model_dims, rows, length);
  for (int d = 1; d < all.rank; ++d) input.dims.Push(all.at[d]);
  input.elements = Count(all);
  input.bytes = bytes.data();
  input.byte_count = bytes.size();
  CHECK_EQ(PadRequest(spec, request).message(), "");
}

const std::vector<std::vector<int64_t>> kShapes = {{-1}, {-1, 3}, {2, -1}, {2, -1, 3}};

int DimOf(const std::vector<int64_t>& dims) {
  return static_cast<int>(std::find(dims.begin(), dims.end(), -1) - dims.begin());
}

TEST("a reply has the configured shape, also where the model's own has as many dimensions") {
  ModelSpec spec = Model({Tensor("x", DataType::kFp32, {1})}, {Tensor("y", DataType::kUint8, {3, -1})});
  spec.outputs[0].model_dims = {-1, 3};
  const std::vector<uint8_t> bytes = Bytes(2 * 6, 1);
  std::vector<RunTensor> outputs(1);
  for (const int64_t dim : {2, 2, 3}) outputs[0].dims.Push(dim);
  outputs[0].bytes = bytes.data();
  outputs[0].byte_count = bytes.size();
  outputs[0].elements = 12;
  std::vector<OutputRows> parts;
  std::vector<PaddedOutput> padded;
  RowCutter cutter(spec, outputs, 2, &parts, &padded);
  Request request;
  request.rows = request.part_rows = 1;
  CHECK_EQ(DimsText(cutter.Next(request)[0].dims), "[1,3,2]");
}

TEST("rows of every length in a bucket are gathered side by side, filled up with the pad element") {
  const std::vector<std::pair<DataType, std::vector<uint8_t>>> types = {
      {DataType::kUint8, {9}},
      {DataType::kFp16, {0, 0}},
      {DataType::kInt32, {1, 2, 3, 4}},
      {DataType::kInt64, {255, 255, 255, 255, 255, 255, 255, 255}},
      {DataType::kFp64, {8, 7, 6, 5, 4, 3, 2, 1}}};
  for (const auto& [type, element] : types) {
    for (const std::vector<int64_t>& dims : kShapes) {
      const ModelSpec spec = Padded(Tensor("x", type, dims), DimOf(dims), element, Tensor("y", type, dims));
      const size_t size = DataTypeBytes(type);
      const std::vector<int64_t> lengths = {5, 8, 7, 6};
      std::vector<Request> requests(lengths.size());
      std::vector<Request*> batch;
      std::vector<std::vector<uint8_t>> bytes;
      int64_t rows = 0;
      for (size_t i = 0; i < lengths.size(); ++i) {
        const auto own_rows = static_cast<int64_t>(i % 3) + 1;
        bytes.push_back(
            Bytes(static_cast<size_t>(Count(With(dims, own_rows, lengths[i]))) * size, static_cast<int>(i)));
        rows += own_rows;
      }
      for (size_t i = 0; i < lengths.size(); ++i) {
        Fill(spec, static_cast<int64_t>(i % 3) + 1, lengths[i], bytes[i], &requests[i]);
        batch.push_back(&requests[i]);
        CHECK(MayShareRun(requests[0], requests[i]));
      }
      BatchInput input(spec);
      const RunTensor& got = input.Gather(batch.data(), batch.size(), rows)[0];
      CHECK(got.dims == With(dims, rows, 8));
      CHECK_EQ(got.elements, Count(got.dims));
      CHECK_EQ(got.byte_count, static_cast<size_t>(got.elements) * size);
      std::vector<uint8_t> expected;
      for (int64_t i = 0; i < got.elements; ++i)
        expected.insert(expected.end(), element.begin(), element.end());
      int64_t first_row = 0;
      for (size_t i = 0; i < lengths.size(); ++i) {
        const Dims own = With(dims, requests[i].rows, lengths[i]);
        const int64_t offset = first_row * (got.elements / rows);
        for (int64_t e = 0; e < Count(own); ++e) {
          const int64_t place = offset + PlaceIn(With(dims, requests[i].rows, 8), own, e);
          std::memcpy(expected.data() + static_cast<size_t>(place) * size,
                      bytes[i].data() + static_cast<size_t>(e) * size, size);
        }
        first_row += requests[i].rows;
      }
      CHECK(std::memcmp(got.bytes, expected.data(), expected.size()) == 0);
    }
  }
}

// Runs the identity: what was gathered is what comes out.
void CheckRoundTrip(const std::vector<int64_t>& dims, const std::vector<int64_t>& lengths, int64_t rows_each,
                    int64_t part_rows) {
  const ModelSpec spec = Padded(Tensor("x", DataType::kInt32, dims), DimOf(dims), {1, 0, 0, 0},
                                Tensor("y", DataType::kInt32, dims));
  std::vector<Request> requests(lengths.size());
  std::vector<Request*> batch;
  std::vector<std::vector<uint8_t>> bytes;
  for (size_t i = 0; i < lengths.size(); ++i)
    bytes.push_back(
        Bytes(static_cast<size_t>(Count(With(dims, rows_each, lengths[i]))) * 4, static_cast<int>(i)));
  for (size_t i = 0; i < lengths.size(); ++i) {
    Fill(spec, rows_each, lengths[i], bytes[i], &requests[i]);
    requests[i].part_rows = part_rows;
    requests[i].done_rows = rows_each - part_rows;
    batch.push_back(&requests[i]);
  }
  const int64_t rows = part_rows * static_cast<int64_t>(lengths.size());
  BatchInput input(spec);
  const std::vector<RunTensor> outputs = input.Gather(batch.data(), batch.size(), rows);
  CHECK_EQ(CheckOutputs(spec, outputs, rows, requests[0]).message(), "");
  std::vector<OutputRows> parts;
  std::vector<PaddedOutput> padded;
  RowCutter cutter(spec, outputs, rows, &parts, &padded);
  for (size_t i = 0; i < lengths.size(); ++i) {
    const OutputRows& part = cutter.Next(requests[i])[0];
    const size_t row_bytes = bytes[i].size() / static_cast<size_t>(rows_each);
    CHECK(part.dims == With(dims, part_rows, lengths[i]));
    CHECK_EQ(part.elements, Count(part.dims));
    CHECK_EQ(part.byte_count, row_bytes * static_cast<size_t>(part_rows));
    const uint8_t* own = bytes[i].data() + row_bytes * static_cast<size_t>(requests[i].done_rows);
    CHECK(part.byte_count == 0 || std::memcmp(part.bytes, own, part.byte_count) == 0);
  }
}

TEST(
    "outputs are cut back to what each request sent, at the edges of buckets and at length 0, in pieces "
    "too") {
  for (const std::vector<int64_t>& dims : kShapes) {
    for (const std::vector<int64_t>& lengths :
         {std::vector<int64_t>{0, 1, 3, 4}, {5, 6, 7, 8}, {0}, {4}, {5}}) {
      CheckRoundTrip(dims, lengths, 1, 1);
      CheckRoundTrip(dims, lengths, 3, 3);
      CheckRoundTrip(dims, lengths, 3, 1);
    }
  }
}

TEST("an output that is padded in two dimensions is cut in both") {
  const ModelSpec spec =
      Padded(Tensor("x", DataType::kUint8, {-1}), 0, {0}, Tensor("y", DataType::kUint8, {2, -1, -1}));
  for (const int64_t rows : {1, 2}) {
    Request request;
    const std::vector<uint8_t> sent = Bytes(static_cast<size_t>(rows) * 3, 1);
    Fill(spec, rows, 3, sent, &request);
    const Dims whole = With({2, -1, -1}, rows, 4);
    const std::vector<uint8_t> made = Bytes(static_cast<size_t>(Count(whole)), 5);
    const std::vector<RunTensor> outputs = {{whole, made.data(), made.size(), Count(whole)}};
    std::vector<OutputRows> parts;
    std::vector<PaddedOutput> padded;
    RowCutter cutter(spec, outputs, rows, &parts, &padded);
    const OutputRows& part = cutter.Next(request)[0];
    CHECK(part.dims == With({2, -1, -1}, rows, 3));
    CHECK_EQ(part.byte_count, static_cast<size_t>(rows * 18));
    for (int64_t e = 0; e < part.elements; ++e)
      CHECK_EQ(+part.bytes[e], +made[static_cast<size_t>(PlaceIn(whole, part.dims, e))]);
  }
}

TEST("strings are cut back like numbers") {
  const ModelSpec spec =
      Padded(Tensor("x", DataType::kUint8, {-1}), 0, {0}, Tensor("y", DataType::kBytes, {-1}));
  std::string made, expected[2];
  Request requests[2];
  const std::vector<uint8_t> sent = Bytes(6, 1);
  Fill(spec, 2, 3, sent, &requests[0]);
  Fill(spec, 1, 1, {7}, &requests[1]);
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 4; ++i) {
      const std::string text(static_cast<size_t>(row + i), static_cast<char>('a' + i));
      const auto length = static_cast<uint32_t>(text.size());
      const std::string element = std::string(reinterpret_cast<const char*>(&length), 4) + text;
      made += element;
      if (i < (row < 2 ? 3 : 1)) expected[row / 2] += element;
    }
  }
  const std::vector<RunTensor> outputs = {
      {With({-1}, 3, 4), reinterpret_cast<const uint8_t*>(made.data()), made.size(), 12}};
  std::vector<OutputRows> parts;
  std::vector<PaddedOutput> padded;
  RowCutter cutter(spec, outputs, 3, &parts, &padded);
  for (int r = 0; r < 2; ++r) {
    const OutputRows& part = cutter.Next(requests[r])[0];
    CHECK_EQ(std::string(reinterpret_cast<const char*>(part.bytes), part.byte_count), expected[r]);
  }
}

TEST("an output that is not as long as the padded inputs fails the run instead of being cut wrongly") {
  const ModelSpec spec =
      Padded(Tensor("x", DataType::kUint8, {-1}), 0, {0}, Tensor("y", DataType::kUint8, {-1}));
  Request request;
  Fill(spec, 1, 3, {1, 2, 3}, &request);
  for (const int64_t length : {3, 5}) {
    const std::vector<RunTensor> outputs = {{With({-1}, 1, length), nullptr, 0, length}};
    CHECK(CheckOutputs(spec, outputs, 1, request).code() == Code::kRunFailed);
  }
  Dims no_rank;
  no_rank.Push(1);
  CHECK(CheckOutputs(spec, {{no_rank, nullptr, 0, 1}}, 1, request).code() == Code::kRunFailed);
}

std::string Body(const std::string& inputs) { return "{\"inputs\":[" + inputs + "]}"; }

std::string X(int64_t length, const std::string& elements) {
  return R"({"name":"x","datatype":"INT64","shape":[1,)" + std::to_string(length) + R"(],"data":)" +
         elements + "}";
}

struct Decoded {
  Status status;
  Request request;
};

void Decode(V2Decoder* decoder, const ModelSpec& spec, const std::string& body, int64_t head_length,
            Decoded* decoded) {
  auto exact = std::make_unique<uint8_t[]>(body.size());
  std::memcpy(exact.get(), body.data(), body.size());
  decoded->status = decoder->Decode(spec, exact.get(), body.size(), head_length, &decoded->request);
}

ModelSpec Masked() {
  return Padded(Tensor("x", DataType::kInt64, {-1}), 0, {0}, Tensor("y", DataType::kInt64, {-1}), true);
}

std::vector<int32_t> GatheredMask(const ModelSpec& spec, std::vector<Request*> batch, int64_t rows) {
  BatchInput input(spec);
  const RunTensor& mask = input.Gather(batch.data(), batch.size(), rows)[1];
  std::vector<int32_t> values(static_cast<size_t>(mask.elements));
  std::memcpy(values.data(), mask.bytes, mask.byte_count);
  return values;
}

TEST("a mask that the client leaves out is made, one that it sends is kept, and both end with zeros") {
  const ModelSpec spec = Masked();
  V2Decoder decoder;
  const std::string mask = R"({"name":"m","datatype":"INT32","shape":[1,3],"data":[1,0,1]})";
  Decoded made, given, reversed;
  Decode(&decoder, spec, Body(X(2, "[5,6]")), -1, &made);
  Decode(&decoder, spec, Body(X(3, "[5,6,7]") + "," + mask), -1, &given);
  Decode(&decoder, spec, Body(mask + "," + X(3, "[5,6,7]")), -1, &reversed);
  for (Decoded* decoded : {&made, &given, &reversed}) CHECK_EQ(decoded->status.message(), "");
  CHECK(MayShareRun(made.request, given.request) && MayShareRun(given.request, reversed.request));
  for (Decoded* decoded : {&made, &given, &reversed}) decoded->request.part_rows = 1;
  CHECK(GatheredMask(spec, {&made.request, &given.request, &reversed.request}, 3) ==
        (std::vector<int32_t>{1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0}));
}

TEST("a remembered JSON part makes its mask anew for each request") {
  const ModelSpec spec = Masked();
  V2Decoder decoder;
  const std::string head =
      Body(R"({"name":"x","datatype":"INT64","shape":[2,3],"parameters":{"binary_data_size":48}})");
  for (int i = 0; i < 3; ++i) {
    Decoded decoded;
    Decode(&decoder, spec, head + std::string(48, static_cast<char>(i)), static_cast<int64_t>(head.size()),
           &decoded);
    CHECK_EQ(decoded.status.message(), "");
    decoded.request.part_rows = 2;
    CHECK(GatheredMask(spec, {&decoded.request}, 2) == (std::vector<int32_t>{1, 1, 1, 0, 1, 1, 1, 0}));
  }
}

TEST("a raw binary request goes to the one input that must be there") {
  const ModelSpec spec = Masked();
  V2Decoder decoder;
  Decoded decoded;
  Decode(&decoder, spec, std::string(24, 1), 0, &decoded);
  CHECK_EQ(decoded.status.message(), "");
  CHECK_EQ(decoded.request.inputs[0].length, 3);
  CHECK_EQ(decoded.request.inputs[1].dims.at[0], 4);
}

TEST(
    "lengths on both sides of a bucket's edge do not share a run, and too long or unequal ones are refused") {
  const ModelSpec spec = Masked();
  V2Decoder decoder;
  Decoded four, five, nine, unequal, empty;
  Decode(&decoder, spec, Body(X(4, "[1,2,3,4]")), -1, &four);
  Decode(&decoder, spec, Body(X(5, "[1,2,3,4,5]")), -1, &five);
  Decode(&decoder, spec, Body(X(0, "[]")), -1, &empty);
  CHECK(!MayShareRun(four.request, five.request) && MayShareRun(four.request, empty.request));
  Decode(&decoder, spec, Body(X(9, "[1,2,3,4,5,6,7,8,9]")), -1, &nine);
  CHECK(nine.status.code() == Code::kShapeMismatch);
  CHECK_EQ(nine.status.message(),
           "expected a length of at most 8 for input \"x\" of model \"m\" version 1, got 9");
  Decode(&decoder, spec,
         Body(X(2, "[1,2]") + R"(,{"name":"m","datatype":"INT32","shape":[1,3],"data":[1,1,1]})"), -1,
         &unequal);
  CHECK_EQ(unequal.status.message(),
           "expected one length for input \"x\" and input \"m\" of model \"m\" version 1, got 2 and 3");
}

TEST("a few bytes cannot claim more memory than padding may take") {
  ModelSpec spec =
      Padded(Tensor("x", DataType::kInt64, {-1, -1}), 0, {0}, Tensor("y", DataType::kInt64, {2}), true);
  const auto claim = [&](const std::string& shape) {
    V2Decoder decoder;
    Decoded decoded;
    Decode(&decoder, spec, Body(R"({"name":"x","datatype":"INT64","shape":)" + shape + R"(,"data":[]})"), -1,
           &decoded);
    return decoded.status.code();
  };
  CHECK(claim("[1,0,3]") == Code::kOk);
  CHECK(claim("[1,0,4611686018427387904]") == Code::kShapeMismatch);
  CHECK(claim("[1,0,16777216]") == Code::kShapeMismatch);
  CHECK(claim("[8,8,0]") == Code::kShapeMismatch);
}

TEST("padding is counted over the inputs that clients send") {
  const ModelSpec spec = Masked();
  V2Decoder decoder;
  Decoded a, b;
  Decode(&decoder, spec, Body(X(1, "[1]")), -1, &a);
  Decode(&decoder, spec, Body(X(4, "[1,2,3,4]")), -1, &b);
  a.request.part_rows = b.request.part_rows = 1;
  Request* const batch[] = {&a.request, &b.request};
  const PaddingCount count = CountPadding(spec, batch, 2);
  CHECK_EQ(count.elements, 8);
  CHECK_EQ(count.padding, 3);
}

}  // namespace
}  // namespace sluice
