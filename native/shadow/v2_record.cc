#include "shadow/v2_record.h"

#include "codec/v2_encoder.h"

namespace sluice {

namespace {

// The shape on the wire from the dimensions as the model wants them: the batch in front, and fixed dimensions
// as a request writes them; those that vary are carried over in order.
std::string WireShape(const ModelSpec& spec, const TensorSpec& tensor, const Dims& model_dims, int64_t rows) {
  std::string text;
  const auto push = [&text](int64_t dim) { text += (text.empty() ? "" : ",") + std::to_string(dim); };
  if (spec.has_batch_dim()) push(rows);
  size_t varying = 0;
  for (const int64_t dim : tensor.dims) {
    if (dim >= 0) {
      push(dim);
      continue;
    }
    while (varying < tensor.model_dims.size() && tensor.model_dims[varying] >= 0) ++varying;
    const int at = static_cast<int>(varying++);
    push(at < model_dims.rank ? model_dims.at[at] : 1);
  }
  return text;
}

}  // namespace

V2Body RecordRequest(const ModelSpec& spec, const std::vector<RequestInput>& inputs, int64_t rows) {
  V2Body body;
  std::string& head = body.bytes;
  head = "{\"inputs\":[";
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i > 0) head += ",";
    const TensorSpec& tensor = spec.inputs[i];
    Dims own = inputs[i].dims;
    if (tensor.pad_rule != kNoRule) own.at[tensor.pad_dim] = inputs[i].length;
    head += tensor.reply_prefix + WireShape(spec, tensor, own, rows) +
            "],\"parameters\":{\"binary_data_size\":" + std::to_string(inputs[i].byte_count) + "}}";
  }
  head += "],\"parameters\":{\"binary_data_output\":true}}";
  body.head_length = head.size();
  for (const RequestInput& input : inputs)
    body.bytes.append(reinterpret_cast<const char*>(input.bytes), input.byte_count);
  return body;
}

V2Body RecordAnswer(const ModelSpec& spec, const std::vector<OutputRows>& outputs) {
  Request request;
  request.wanted_outputs = request.binary_outputs = ~uint64_t{0};
  request.is_raw_reply = true;  // no id
  V2Body body;
  if (!EncodeV2(spec, outputs, &request).ok()) return body;
  body.bytes.assign(reinterpret_cast<const char*>(request.reply.data()), request.reply.size());
  // An answer without a single byte of tensors is plain JSON.
  body.head_length = request.reply_head_bytes > 0 ? request.reply_head_bytes : request.reply.size();
  return body;
}

size_t RecordedBytes(const std::vector<RequestInput>& inputs) {
  size_t bytes = 0;
  for (const RequestInput& input : inputs) bytes += input.byte_count;
  return bytes;
}

size_t RecordedBytes(const std::vector<OutputRows>& outputs) {
  size_t bytes = 0;
  for (const OutputRows& output : outputs) bytes += output.byte_count;
  return bytes;
}

}  // namespace sluice
