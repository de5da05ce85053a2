#include "codec/frame_encoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "codec/inference_generated.h"
#include "codec/tensor_check.h"

namespace sluice {

namespace {

static_assert(FLATBUFFERS_LITTLEENDIAN, "frames are written as the machine has its numbers");

constexpr size_t kDataAlignment = 16;
constexpr size_t kLongestFrame = FLATBUFFERS_MAX_BUFFER_SIZE;

// Bytes of `vtable` slots up to and with the field at `last`.
constexpr size_t VtableBytes(flatbuffers::voffset_t last) { return size_t{last} + sizeof(uint16_t); }

// Lays a frame out from front to back: every offset points forward, every place is known when it is written.
class Layout {
 public:
  explicit Layout(std::vector<uint8_t>* bytes) : bytes_(*bytes) { bytes_.clear(); }

  size_t at() const { return bytes_.size(); }
  void PadTo(size_t alignment, size_t ahead = 0) {
    while ((at() + ahead) % alignment != 0) bytes_.push_back(0);
  }
  template <typename Number>
  size_t Put(Number number) {
    const size_t place = at();
    bytes_.resize(place + sizeof(number));
    std::memcpy(bytes_.data() + place, &number, sizeof(number));
    return place;
  }
  // Makes the offset at `place` point to what comes next.
  void PointHere(size_t place) {
    const auto offset = static_cast<uint32_t>(at() - place);
    std::memcpy(bytes_.data() + place, &offset, sizeof(offset));
  }
  // A vtable with `fields` as {slot, offset in the table}, and the table's first word after it.
  struct Field {
    flatbuffers::voffset_t slot;
    uint16_t offset;
  };
  size_t Vtable(flatbuffers::voffset_t last_slot, uint16_t table_bytes, std::initializer_list<Field> fields) {
    PadTo(2);
    const size_t place = at();
    bytes_.resize(place + VtableBytes(last_slot));
    PutAt(place, static_cast<uint16_t>(VtableBytes(last_slot)));
    PutAt(place + 2, table_bytes);
    for (const Field& field : fields) PutAt(place + field.slot, field.offset);
    return place;
  }
  // Begins a table of zeros; answers where it is.
  size_t Table(size_t vtable, size_t table_bytes) {
    PadTo(4);
    const size_t place = at();
    bytes_.resize(place + table_bytes);
    PutAt(place, static_cast<int32_t>(static_cast<int64_t>(place) - static_cast<int64_t>(vtable)));
    return place;
  }
  void Text(size_t offset_at, std::string_view text) {
    PadTo(4);
    PointHere(offset_at);
    Put(static_cast<uint32_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    bytes_.push_back(0);
  }
  template <typename Number>
  void PutAt(size_t place, Number number) {
    std::memcpy(bytes_.data() + place, &number, sizeof(number));
  }

 private:
  std::vector<uint8_t>& bytes_;
};

using wire::Frame;
using wire::InferResponse;
using wire::StageTimes;
using wire::Tensor;

// Answers where the four numbers go.
size_t LayTimes(Layout* layout, size_t offset_at) {
  const size_t vtable = layout->Vtable(StageTimes::VT_ENCODE_US, 20,
                                       {{StageTimes::VT_DECODE_US, 4},
                                        {StageTimes::VT_QUEUE_US, 8},
                                        {StageTimes::VT_RUN_US, 12},
                                        {StageTimes::VT_ENCODE_US, 16}});
  layout->PadTo(4);
  layout->PointHere(offset_at);
  return layout->Table(vtable, 20) + 4;
}

// The tensors that are in `wanted`, with the rank that `rank_of` tells for each; and room for the times.
template <typename RankOf>
void Lay(const ModelSpec& spec, uint64_t wanted, bool has_times, RankOf rank_of, ReplyFrame* frame) {
  frame->outputs.clear();
  Layout layout(&frame->head);
  const size_t root_at = layout.Put(uint32_t{0});
  for (const char letter : std::string_view(wire::FrameIdentifier(), 4)) layout.Put(letter);
  const size_t frame_vtable = layout.Vtable(Frame::VT_RESPONSE, 8, {{Frame::VT_RESPONSE, 4}});
  const size_t response_vtable =
      layout.Vtable(InferResponse::VT_TIMES, 24,
                    {{InferResponse::VT_ID, 4},
                     {InferResponse::VT_MODEL, 8},
                     {InferResponse::VT_VERSION, 12},
                     {InferResponse::VT_OUTPUTS, 16},
                     {InferResponse::VT_TIMES, static_cast<uint16_t>(has_times ? 20 : 0)}});
  const size_t tensor_vtable = layout.Vtable(Tensor::VT_DATA, 20,
                                             {{Tensor::VT_NAME, 4},
                                              {Tensor::VT_SHAPE, 8},
                                              {Tensor::VT_DATA, 12},
                                              {Tensor::VT_POSITION, 16},
                                              {Tensor::VT_DATATYPE, 18}});
  layout.PadTo(4);
  layout.PointHere(root_at);
  const size_t root = layout.Table(frame_vtable, 8);
  layout.PointHere(root + 4);
  const size_t response = layout.Table(response_vtable, 24);
  frame->id_at = response + 4;

  layout.PointHere(response + 16);
  std::vector<size_t> offsets;
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    if ((wanted >> i & 1) != 0) frame->outputs.push_back({i, 0, rank_of(i), 0});
  }
  layout.Put(static_cast<uint32_t>(frame->outputs.size()));
  for (size_t i = 0; i < frame->outputs.size(); ++i) offsets.push_back(layout.Put(uint32_t{0}));
  for (size_t i = 0; i < offsets.size(); ++i) {
    ReplyFrame::Output& output = frame->outputs[i];
    const TensorSpec& tensor = spec.outputs[output.index];
    layout.PointHere(offsets[i]);
    const size_t table = layout.Table(tensor_vtable, 20);
    layout.PutAt(table + 16, static_cast<uint16_t>(output.index));
    layout.PutAt(table + 18, static_cast<uint8_t>(tensor.type));
    output.data_offset_at = table + 12;
    layout.PadTo(8, sizeof(uint32_t));
    layout.PointHere(table + 8);
    layout.Put(static_cast<uint32_t>(output.rank));
    output.shape_at = layout.at();
    for (int d = 0; d < output.rank; ++d) layout.Put(int64_t{0});
    layout.Text(table + 4, tensor.name);
    layout.PadTo(4);
  }
  layout.Text(response + 8, spec.name);
  layout.Text(response + 12, spec.version);
  layout.PadTo(4);
  frame->times_at = has_times ? LayTimes(&layout, response + 20) : 0;
}

// Where a tensor's bytes begin when `at` bytes are written: behind their count, at a multiple of 16.
size_t DataAt(size_t at) { return (at + sizeof(uint32_t) + kDataAlignment - 1) & ~(kDataAlignment - 1); }

Status Fill(const ReplyFrame& frame, const std::vector<OutputRows>& outputs, uint32_t id,
            AlignedBuffer* reply) {
  size_t end = frame.head.size();
  for (const ReplyFrame::Output& output : frame.outputs) end = DataAt(end) + outputs[output.index].byte_count;
  if (end > kLongestFrame) {
    return Status(Code::kTooLarge, "the reply would have " + std::to_string(end) + " bytes, a frame holds " +
                                       std::to_string(kLongestFrame) + ": ask for fewer rows or outputs");
  }
  reply->Clear();
  reply->Resize(end);
  uint8_t* bytes = reply->data();
  std::memcpy(bytes, frame.head.data(), frame.head.size());
  std::memcpy(bytes + frame.id_at, &id, sizeof(id));
  size_t at = frame.head.size();
  for (const ReplyFrame::Output& output : frame.outputs) {
    const OutputRows& rows = outputs[output.index];
    std::memcpy(bytes + output.shape_at, rows.dims.at, static_cast<size_t>(output.rank) * sizeof(int64_t));
    const size_t data_at = DataAt(at);
    // The memory is used again and again: no byte of an earlier reply may stay between the parts.
    std::memset(bytes + at, 0, data_at - at);
    const auto count = static_cast<uint32_t>(rows.byte_count);
    std::memcpy(bytes + data_at - sizeof(count), &count, sizeof(count));
    const auto offset = static_cast<uint32_t>(data_at - sizeof(count) - output.data_offset_at);
    std::memcpy(bytes + output.data_offset_at, &offset, sizeof(offset));
    if (count > 0) std::memcpy(bytes + data_at, rows.bytes, rows.byte_count);
    at = data_at + rows.byte_count;
  }
  return Status();
}

uint32_t Us(int64_t begin_ns, int64_t end_ns) {
  const int64_t us = std::max<int64_t>(end_ns - begin_ns, 0) / 1000;
  return static_cast<uint32_t>(std::min<int64_t>(us, std::numeric_limits<uint32_t>::max()));
}

// Last of all, so that the encoding is in it.
void FillTimes(const Request& request, uint8_t* at) {
  const uint32_t times[] = {Us(request.submitted_ns, request.decoded_ns),
                            Us(request.decoded_ns, request.taken_ns), Us(request.taken_ns, request.ran_ns),
                            Us(request.ran_ns, NowNs())};
  std::memcpy(at, times, sizeof(times));
}

bool IsAsLaid(const ReplyFrame& frame, const std::vector<OutputRows>& outputs, uint64_t all,
              uint64_t wanted) {
  if (wanted != all) return false;
  for (const ReplyFrame::Output& output : frame.outputs) {
    if (outputs[output.index].dims.rank != output.rank) return false;
  }
  return true;
}

}  // namespace

void LayReplyFrame(ModelSpec* spec) {
  const int batch_dims = spec->has_batch_dim() ? 1 : 0;
  const uint64_t all = AllBits(spec->outputs.size());
  const auto rank_of = [&](size_t i) { return batch_dims + static_cast<int>(spec->outputs[i].dims.size()); };
  Lay(*spec, all, false, rank_of, &spec->reply_frame);
  Lay(*spec, all, true, rank_of, &spec->timed_reply_frame);
}

Status EncodeFrame(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request) {
  request->reply_head_bytes = 0;
  ReplyFrame own;
  const ReplyFrame* frame = request->wants_times ? &spec.timed_reply_frame : &spec.reply_frame;
  if (!IsAsLaid(*frame, outputs, AllBits(spec.outputs.size()), request->wanted_outputs)) {
    Lay(
        spec, request->wanted_outputs, request->wants_times, [&](size_t i) { return outputs[i].dims.rank; },
        &own);
    frame = &own;
  }
  Status status = Fill(*frame, outputs, request->frame_id, &request->reply);
  if (status.ok() && frame->times_at != 0) FillTimes(*request, request->reply.data() + frame->times_at);
  return status;
}

}  // namespace sluice
