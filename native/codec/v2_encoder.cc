#include "codec/v2_encoder.h"

#include "codec/json_text.h"

namespace sluice {

namespace {

Status AppendOutput(const TensorSpec& tensor, const OutputRows& output, bool is_binary,
                    AlignedBuffer* reply) {
  AppendText(reply, tensor.reply_prefix);
  for (int i = 0; i < output.dims.rank; ++i) {
    if (i > 0) AppendText(reply, ",");
    AppendInteger(reply, output.dims.at[i]);
  }
  if (is_binary) {
    AppendText(reply, "],\"parameters\":{\"binary_data_size\":");
    AppendInteger(reply, static_cast<int64_t>(output.byte_count));
    AppendText(reply, "}}");
    return Status();
  }
  AppendText(reply, "],\"data\":[");
  if (!AppendJsonElements(reply, tensor.type, output.bytes, output.elements)) {
    return Status(Code::kTypeMismatch,
                  "output \"" + tensor.name +
                      "\" holds bytes that are not UTF-8 and have no JSON form: ask for it with "
                      "\"binary_data\": true");
  }
  AppendText(reply, "]}");
  return Status();
}

}  // namespace

Status EncodeV2(const ModelSpec& spec, const std::vector<OutputRows>& outputs, Request* request) {
  AlignedBuffer* reply = &request->reply;
  reply->Clear();
  AppendText(reply, "{");
  if (!request->id_json.empty() && !request->is_raw_reply) {
    AppendText(reply, "\"id\":");
    AppendText(reply, request->id_json);
    AppendText(reply, ",");
  }
  AppendText(reply, spec.reply_prefix);
  AppendText(reply, ",\"outputs\":[");
  bool is_first = true;
  size_t blob_bytes = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const uint64_t bit = uint64_t{1} << i;
    if ((request->wanted_outputs & bit) == 0) continue;
    if (!is_first) AppendText(reply, ",");
    is_first = false;
    const bool is_binary = (request->binary_outputs & bit) != 0;
    if (is_binary) blob_bytes += outputs[i].byte_count;
    if (Status status = AppendOutput(spec.outputs[i], outputs[i], is_binary, reply); !status.ok())
      return status;
  }
  AppendText(reply, "]}");
  // Without a single binary byte the reply is plain JSON.
  request->reply_head_bytes = blob_bytes > 0 ? reply->size() : 0;
  if (blob_bytes == 0) return Status();
  reply->Reserve(reply->size() + blob_bytes);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const uint64_t bit = uint64_t{1} << i;
    if ((request->wanted_outputs & request->binary_outputs & bit) != 0)
      reply->Append(outputs[i].bytes, outputs[i].byte_count);
  }
  return Status();
}

}  // namespace sluice
