#include "codec/v2_decoder.h"

#include <cstring>

#include "codec/pad_request.h"
#include "codec/tensor_check.h"

namespace sluice {

namespace {

// On one core, simdjson reads about 200 KiB of numbers per 250 us; longer bodies would be felt by the loop's
// other clients.
constexpr size_t kLongJson = 64 * 1024;
constexpr size_t kLongStrings = 1024 * 1024;

static_assert(kTailPadding >= simdjson::SIMDJSON_PADDING);

}  // namespace

bool V2Decoder::IsLong(const ModelSpec& spec, size_t size, int64_t head_length) {
  const size_t json_size = head_length < 0 ? size : static_cast<size_t>(head_length);
  if (json_size > kLongJson) return true;
  if (size <= kLongStrings) return false;
  for (const TensorSpec& input : spec.inputs) {
    if (input.type == DataType::kBytes) return true;
  }
  return false;
}

Status V2Decoder::Decode(const ModelSpec& spec, const uint8_t* bytes, size_t size, int64_t head_length,
                         Request* request) {
  return DecodeAny(spec, bytes, size, head_length, false, request);
}

Status V2Decoder::DecodeOwned(const ModelSpec& spec, Request* request) {
  return DecodeAny(spec, request->body.data(), request->body.size(), request->head_length, true, request);
}

Status V2Decoder::DecodeAny(const ModelSpec& spec, const uint8_t* bytes, size_t size, int64_t head_length,
                            bool is_owned, Request* request) {
  if (head_length == 0 && size > 0) return DecodeRaw(spec, bytes, size, is_owned, request);
  if (head_length > static_cast<int64_t>(size)) {
    return Status(Code::kBadRequest, "Inference-Header-Content-Length is " + std::to_string(head_length) +
                                         ", the body has " + std::to_string(size) + " bytes");
  }
  const size_t json_size = head_length < 0 ? size : static_cast<size_t>(head_length);

  KeptPlan* slot = nullptr;
  if (json_size > 0 && json_size <= kLongestKeptJson) {
    slot = &kept_[(spec.serial * 31 + json_size) % kKeptPlans];
    if (slot->serial == spec.serial && slot->json.size() == json_size &&
        std::memcmp(slot->json.data(), bytes, json_size) == 0) {
      request->tensors.Clear();
      return Apply(spec, slot->plan, bytes + json_size, size - json_size, is_owned, request);
    }
  }

  const char* json = reinterpret_cast<const char*>(bytes);
  if (!is_owned) {
    json_copy_.Clear();
    json_copy_.Append(bytes, json_size);
    json_copy_.Reserve(1);  // an empty body still needs readable memory behind it
    json = reinterpret_cast<const char*>(json_copy_.data());
  }
  if (Status status = head_.Parse(spec, json, json_size, &plan_, &request->tensors); !status.ok())
    return status;
  if (slot != nullptr && !plan_.has_json_tensor) {
    slot->serial = 0;  // nothing is kept until all of it is there
    slot->json.assign(reinterpret_cast<const char*>(bytes), json_size);
    slot->plan = plan_;
    slot->serial = spec.serial;
  }
  return Apply(spec, plan_, bytes + json_size, size - json_size, is_owned, request);
}

Status V2Decoder::Apply(const ModelSpec& spec, const V2Plan& plan, const uint8_t* blobs, size_t size,
                        bool is_owned, Request* request) {
  request->inputs.resize(spec.inputs.size());
  if (spec.has_padding()) MarkMasksAbsent(spec, request);
  const uint8_t* blob = blobs;
  size_t left = size;
  for (const PlannedInput& planned : plan.inputs) {
    RequestInput& input = request->inputs[planned.index];
    const TensorSpec& tensor = spec.inputs[planned.index];
    input.byte_count = planned.byte_count;
    input.elements = planned.elements;
    input.dims = planned.dims;
    input.bytes = nullptr;
    input.offset = planned.offset;
    if (!planned.is_binary) continue;
    if (planned.byte_count > left) {
      return Status(Code::kBadRequest, "expected " + std::to_string(planned.byte_count) +
                                           " bytes of binary data for " + InputName(tensor.name) +
                                           ", the body has " + std::to_string(left) + " left");
    }
    if (tensor.type == DataType::kBytes) {
      if (Status status = CheckBytesWalk(tensor, blob, planned.byte_count, planned.elements); !status.ok())
        return status;
    }
    if (is_owned) {
      input.bytes = blob;
    } else {
      request->tensors.Resize(AlignUp(request->tensors.size()));
      input.offset = request->tensors.size();
      request->tensors.Append(blob, planned.byte_count);
    }
    blob += planned.byte_count;
    left -= planned.byte_count;
  }
  if (left != 0) {
    return Status(Code::kBadRequest,
                  std::to_string(left) + " bytes are left in the body behind the last binary tensor");
  }
  request->rows = plan.rows;
  request->shape_key = plan.shape_key;
  if (spec.has_padding()) {
    if (Status status = PadRequest(spec, request); !status.ok()) return status;
  }
  for (RequestInput& input : request->inputs) {
    if (input.bytes == nullptr) input.bytes = request->tensors.data() + input.offset;
  }
  request->id_json = plan.id_json;
  if (request->priority == 0) request->priority = plan.priority;
  request->queue_timeout_ns = plan.queue_timeout_ns;
  request->wanted_outputs = plan.wanted_outputs;
  request->binary_outputs = plan.binary_outputs;
  request->is_raw_reply = false;
  return Status();
}

Status V2Decoder::DecodeRaw(const ModelSpec& spec, const uint8_t* bytes, size_t size, bool is_owned,
                            Request* request) {
  size_t needed = 0, only = 0;
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    if ((spec.optional_inputs >> i & 1) != 0) continue;
    ++needed;
    only = i;
  }
  if (needed != 1) {
    return Status(Code::kBadRequest, "a raw binary request needs a model with one input, " + spec.display +
                                         " has " + std::to_string(needed));
  }
  const TensorSpec& tensor = spec.inputs[only];
  Dims wire;
  if (spec.has_batch_dim()) wire.Push(1);
  int64_t known = 1;
  int varying_at = -1;
  for (const int64_t dim : tensor.dims) {
    if (dim < 0) {
      if (varying_at >= 0) {
        return Status(Code::kBadRequest,
                      "a raw binary request needs a shape with at most one varying dimension, " +
                          InputName(tensor.name) + " has more");
      }
      varying_at = wire.rank;
      wire.Push(0);
    } else {
      known *= dim;
      wire.Push(dim);
    }
  }
  request->tensors.Clear();
  V2Plan& plan = plan_;
  plan.Clear();
  PlannedInput planned;
  planned.index = only;
  if (tensor.type == DataType::kBytes) {
    if (varying_at >= 0 || known != 1) {
      return Status(Code::kBadRequest,
                    "a raw binary request carries one string, " + InputName(tensor.name) + " has shape " +
                        DimsText(tensor.dims.data(), static_cast<int>(tensor.dims.size())));
    }
    const auto length = static_cast<uint32_t>(size);
    request->tensors.Append(&length, sizeof(length));
    request->tensors.Append(bytes, size);
    planned.byte_count = request->tensors.size();
  } else {
    const size_t row_bytes = static_cast<size_t>(known) * DataTypeBytes(tensor.type);
    if (varying_at >= 0 && row_bytes > 0) wire.at[varying_at] = static_cast<int64_t>(size / row_bytes);
    const size_t expected = varying_at >= 0 && row_bytes > 0 ? size / row_bytes * row_bytes : row_bytes;
    if (expected != size) {
      return Status(Code::kShapeMismatch, "expected " + std::to_string(expected) + " bytes for " +
                                              InputName(tensor.name) + " in a raw binary request, got " +
                                              std::to_string(size));
    }
    planned.is_binary = true;
    planned.byte_count = size;
  }
  if (Status status = CheckShape(spec, tensor, wire, &plan.rows, &planned.dims, &planned.elements);
      !status.ok())
    return status;
  plan.inputs.push_back(planned);
  plan.wanted_outputs = AllBits(spec.outputs.size());
  plan.binary_outputs = plan.wanted_outputs;
  plan.shape_key = ShapeKey(spec, plan);
  const bool has_blob = planned.is_binary;
  Status status = Apply(spec, plan, bytes, has_blob ? size : 0, is_owned, request);
  request->is_raw_reply = true;
  return status;
}

}  // namespace sluice
