#include "codec/frame_decoder.h"

#include <cstring>
#include <string>

#include "codec/inference_generated.h"
#include "codec/names.h"
#include "codec/pad_request.h"
#include "codec/tensor_check.h"

namespace sluice {

namespace {

// Frame, request, tensor; a bit more for what later releases may add.
constexpr flatbuffers::uoffset_t kMaxDepth = 8;
// A request with all the tensors and output choices there can be, and as much again as a quarter for what may
// be added. Without a bound, many offsets to one table would cost time at no price for the sender.
constexpr flatbuffers::uoffset_t kMaxTables = 160;
constexpr size_t kLongStrings = 1024 * 1024;

// The part of a Frame that a client may send. The rest is not even verified: it is refused.
struct ClientFrame : private flatbuffers::Table {
  bool Verify(flatbuffers::Verifier& verifier) const {
    return VerifyTableStart(verifier) && VerifyOffset(verifier, wire::Frame::VT_REQUEST) &&
           verifier.VerifyTable(request()) && VerifyOffset(verifier, wire::Frame::VT_CANCEL) &&
           verifier.VerifyTable(cancel()) && verifier.EndTable();
  }
  const wire::InferRequest* request() const {
    return GetPointer<const wire::InferRequest*>(wire::Frame::VT_REQUEST);
  }
  const wire::Cancel* cancel() const { return GetPointer<const wire::Cancel*>(wire::Frame::VT_CANCEL); }
  bool is_of_server() const {
    return CheckField(wire::Frame::VT_RESPONSE) || CheckField(wire::Frame::VT_ERROR) ||
           CheckField(wire::Frame::VT_HELLO) || CheckField(wire::Frame::VT_GOODBYE);
  }
};

Status NotAFrame(const char* why) {
  return Status(Code::kBadRequest, std::string("expected a frame of schemas/inference.fbs, got ") + why);
}

std::string_view Text(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : std::string_view(text->c_str(), text->size());
}

// A place in a signature, from a name or a position; -1 where there is none such.
template <typename Entry>
int Place(const Entry& entry, const std::vector<TensorSpec>& tensors) {
  if (entry.name() != nullptr) return IndexOf(tensors, Text(entry.name()));
  return entry.position() < tensors.size() ? entry.position() : -1;
}

template <typename Entry>
Status NoPlace(const Entry& entry, const ModelSpec& spec, const char* kind,
               const std::vector<TensorSpec>& tensors) {
  if (entry.name() != nullptr) return NoSuchTensor(spec, kind, tensors, Text(entry.name()));
  return Status(Code::kUnknownTensor, spec.display + " has no " + kind + " at position " +
                                          std::to_string(entry.position()) + "; it has " +
                                          std::to_string(tensors.size()));
}

// The verifier does not look at the alignment of 64-bit elements, so they are copied out.
Status ReadShape(const wire::Tensor& from, const TensorSpec& tensor, Dims* dims) {
  dims->Clear();
  const flatbuffers::Vector<int64_t>* shape = from.shape();
  const size_t rank = shape == nullptr ? 0 : shape->size();
  if (rank > static_cast<size_t>(kMaxRank)) {
    return Status(Code::kShapeMismatch, "expected at most " + std::to_string(kMaxRank) +
                                            " dimensions for the shape of " + InputName(tensor.name) +
                                            ", got " + std::to_string(rank));
  }
  for (size_t i = 0; i < rank; ++i) {
    uint64_t bits;
    std::memcpy(&bits, shape->Data() + i * sizeof(bits), sizeof(bits));
    const auto dim = static_cast<int64_t>(flatbuffers::EndianScalar(bits));
    if (dim < 0) {
      return Status(Code::kBadRequest, "expected integers >= 0 for the shape of " + InputName(tensor.name) +
                                           ", got " + std::to_string(dim));
    }
    dims->Push(dim);
  }
  return Status();
}

Status CheckBytes(const TensorSpec& tensor, const Dims& wire, const PlannedInput& planned,
                  const uint8_t* bytes) {
  if (tensor.type == DataType::kBytes)
    return CheckBytesWalk(tensor, bytes, planned.byte_count, planned.elements);
  const uint64_t expected = static_cast<uint64_t>(planned.elements) * DataTypeBytes(tensor.type);
  if (planned.byte_count == expected) return Status();
  return Status(Code::kShapeMismatch, "expected " + std::to_string(expected) + " bytes for " +
                                          InputName(tensor.name) + " of shape " + DimsText(wire) + ", got " +
                                          std::to_string(planned.byte_count));
}

DataType TypeOf(const wire::Tensor& tensor) {
  const auto number = static_cast<int>(tensor.datatype());
  return number < kDataTypeCount ? static_cast<DataType>(number) : DataType::kInvalid;
}

Status ReadOutputs(const wire::InferRequest& from, const ModelSpec& spec, uint64_t* wanted) {
  *wanted = 0;
  const auto* outputs = from.outputs();
  if (outputs == nullptr || outputs->size() == 0) {
    *wanted = AllBits(spec.outputs.size());
    return Status();
  }
  for (const wire::OutputChoice* choice : *outputs) {
    const int place = Place(*choice, spec.outputs);
    if (place < 0) return NoPlace(*choice, spec, "output", spec.outputs);
    const uint64_t bit = uint64_t{1} << place;
    if ((*wanted & bit) != 0) {
      return Status(Code::kBadRequest,
                    "output \"" + spec.outputs[static_cast<size_t>(place)].name + "\" is listed twice");
    }
    *wanted |= bit;
  }
  return Status();
}

}  // namespace

Status ReadFrameHead(const uint8_t* bytes, size_t size, FrameHead* head) {
  if (size < 2 * sizeof(flatbuffers::uoffset_t)) return NotAFrame("fewer than 8 bytes");
  // The library looks at it through strncmp, twice, which is felt where a frame is small.
  if (std::memcmp(bytes + sizeof(flatbuffers::uoffset_t), wire::FrameIdentifier(), 4) != 0)
    return NotAFrame("another file identifier than SLU1");
  flatbuffers::Verifier verifier(bytes, size, kMaxDepth, kMaxTables);
  if (!verifier.VerifyBuffer<ClientFrame>(nullptr)) return NotAFrame("bytes that do not hold together");
  const auto* frame = flatbuffers::GetRoot<ClientFrame>(bytes);
  const wire::InferRequest* request = frame->request();
  const wire::Cancel* cancel = frame->cancel();
  if (frame->is_of_server()) {
    head->kind = FrameKind::kOfServer;
    return Status();
  }
  if ((request == nullptr) == (cancel == nullptr)) return NotAFrame("not exactly one of request and cancel");
  if (cancel != nullptr) {
    head->kind = FrameKind::kCancel;
    head->id = cancel->id();
    return Status();
  }
  head->kind = FrameKind::kRequest;
  head->id = request->id();
  head->model_number = request->model_number();
  head->deadline_ms = request->deadline_ms();
  head->priority = request->priority();
  head->wants_times = request->want_times();
  head->model = Text(request->model());
  head->version = Text(request->version());
  head->routing_key = Text(request->routing_key());
  head->traceparent = Text(request->traceparent());
  return Status();
}

bool FrameDecoder::IsLong(const ModelSpec& spec, size_t size) {
  if (size <= kLongStrings) return false;
  for (const TensorSpec& input : spec.inputs) {
    if (input.type == DataType::kBytes) return true;
  }
  return false;
}

Status FrameDecoder::Decode(const ModelSpec& spec, Request* request) {
  const wire::InferRequest& from = *flatbuffers::GetRoot<wire::Frame>(request->body.data())->request();
  plan_.Clear();
  uint64_t seen = 0;
  const auto* inputs = from.inputs();
  const size_t given = inputs == nullptr ? 0 : inputs->size();
  request->inputs.resize(spec.inputs.size());
  if (spec.has_padding()) MarkMasksAbsent(spec, request);
  for (size_t i = 0; i < given; ++i) {
    const wire::Tensor& tensor = *inputs->Get(static_cast<flatbuffers::uoffset_t>(i));
    const int place = Place(tensor, spec.inputs);
    if (place < 0) return NoPlace(tensor, spec, "input", spec.inputs);
    const auto index = static_cast<size_t>(place);
    Dims wire;
    if (Status status = ReadShape(tensor, spec.inputs[index], &wire); !status.ok()) return status;
    PlannedInput planned;
    if (Status status = CheckInput(spec, index, TypeOf(tensor), wire, &seen, &plan_, &planned); !status.ok())
      return status;
    // A tensor without elements may come without bytes.
    const uint8_t* bytes = tensor.data() == nullptr ? request->body.data() : tensor.data()->Data();
    planned.byte_count = tensor.data() == nullptr ? 0 : tensor.data()->size();
    if (Status status = CheckBytes(spec.inputs[index], wire, planned, bytes); !status.ok()) return status;
    plan_.inputs.push_back(planned);
    RequestInput& input = request->inputs[index];
    input.bytes = bytes;
    input.byte_count = planned.byte_count;
    input.elements = planned.elements;
    input.dims = planned.dims;
  }
  if (Status status = CheckWhole(spec, seen, plan_); !status.ok()) return status;
  if (Status status = ReadOutputs(from, spec, &request->wanted_outputs); !status.ok()) return status;
  request->rows = plan_.rows;
  request->shape_key = ShapeKey(spec, plan_);
  return spec.has_padding() ? Pad(spec, request) : Status();
}

// Only masks that are made lie outside of the message.
Status FrameDecoder::Pad(const ModelSpec& spec, Request* request) {
  request->tensors.Clear();
  if (Status status = PadRequest(spec, request); !status.ok()) return status;
  for (RequestInput& input : request->inputs) {
    if (input.bytes == nullptr) input.bytes = request->tensors.data() + input.offset;
  }
  return Status();
}

}  // namespace sluice
