#include "engine/run_batch.h"

#include <cstring>
#include <exception>

#include "base/clock.h"
#include "codec/reply_encoder.h"

namespace sluice {

namespace {

// Bytes of a BYTES tensor that hold `elements` strings.
size_t StringBytes(const uint8_t* bytes, int64_t elements) {
  size_t at = 0;
  for (int64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, bytes + at, sizeof(length));
    at += sizeof(length) + length;
  }
  return at;
}

Status CheckOutputs(const ModelSpec& spec, const std::vector<RunTensor>& outputs, int64_t rows) {
  if (!spec.has_batch_dim()) return Status();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Dims& dims = outputs[i].dims;
    if (dims.rank >= 1 && dims.at[0] == rows) continue;
    return Status(Code::kRunFailed, "output \"" + spec.outputs[i].name + "\" has shape " + DimsText(dims) +
                                        " after a run of " + std::to_string(rows) + " rows");
  }
  return Status();
}

// The reply's shape: what the run made, with the request's own batch in front; a model tensor of rank 0 is
// told as [1].
Dims ReplyDims(const ModelSpec& spec, const TensorSpec& tensor, const RunTensor& output, int64_t rows) {
  Dims dims;
  const int inner = spec.has_batch_dim() ? 1 : 0;
  if (inner == 1) dims.Push(rows);
  if (tensor.dims.size() != tensor.model_dims.size()) {
    // A reshape: dimensions that vary are carried over in order.
    size_t varying = 0;
    for (const int64_t dim : tensor.dims) {
      if (dim >= 0) {
        dims.Push(dim);
        continue;
      }
      while (varying < tensor.model_dims.size() && tensor.model_dims[varying] >= 0) ++varying;
      dims.Push(varying < tensor.model_dims.size() ? output.dims.at[inner + static_cast<int>(varying++)] : 1);
    }
    return dims;
  }
  for (int i = inner; i < output.dims.rank; ++i) dims.Push(output.dims.at[i]);
  return dims;
}

Status RunRequests(ModelVersion* version, RunPlace* place, Request* const* requests, size_t count,
                   int64_t rows) {
  const ModelSpec& spec = version->spec();
  const std::vector<RunTensor>& gathered = place->input.Gather(requests, count, rows);
  place->times.gathered_ns = NowNs();
  Status status = place->slot->Run(gathered, rows, &place->outputs);
  place->times.ran_ns = NowNs();
  if (status.ok()) status = CheckOutputs(spec, place->outputs, rows);
  if (!status.ok()) return status;

  // Where the next request's rows begin in each output.
  place->rows.resize(spec.outputs.size());
  for (size_t o = 0; o < place->rows.size(); ++o) {
    place->rows[o].bytes = place->outputs[o].bytes;
    place->rows[o].byte_count = 0;
  }
  for (size_t r = 0; r < count; ++r) {
    Request* request = requests[r];
    for (size_t o = 0; o < place->rows.size(); ++o) {
      const RunTensor& whole = place->outputs[o];
      OutputRows& part = place->rows[o];
      part.bytes += part.byte_count;
      part.elements = spec.has_batch_dim() ? whole.elements / rows * request->rows : whole.elements;
      part.byte_count = spec.outputs[o].type == DataType::kBytes
                            ? StringBytes(part.bytes, part.elements)
                            : static_cast<size_t>(part.elements) * DataTypeBytes(spec.outputs[o].type);
      part.dims = ReplyDims(spec, spec.outputs[o], whole, request->rows);
    }
    if (Status encoded = EncodeReply(spec, place->rows, request); !encoded.ok()) request->Fail(encoded);
  }
  place->times.encoded_ns = NowNs();
  version->stats.Ran(requests, count, rows, place->times);
  return Status();
}

// Memory may run out anywhere in a run; that is a failed run, not a dead process.
Status TryRun(ModelVersion* version, RunPlace* place, Request* const* requests, size_t count, int64_t rows) {
  Status status;
  try {
    status = RunRequests(version, place, requests, count, rows);
  } catch (const std::exception& error) {
    status = Status(Code::kRunFailed, error.what());
  } catch (...) {
    status = Status(Code::kRunFailed, "unknown exception");
  }
  if (!status.ok()) version->stats.RunFailed();
  return status;
}

void FailRequest(ModelVersion* version, Request* request, const Status& status) {
  version->SetLastFailure(status.message());
  request->Fail(
      Status(Code::kRunFailed, "the run of " + version->spec().display + " failed on this request"));
}

}  // namespace

int64_t RunBatch(ModelVersion* version, Batch* batch, int64_t now_ns) {
  static const Status kCancelledStatus(Code::kCancelled, "the request was cancelled");
  for (Request* request : batch->cancelled) request->Fail(kCancelledStatus);
  version->stats.TakenCancelled(batch->cancelled.data(), batch->cancelled.size(), now_ns);
  if (batch->requests.empty()) return 0;

  const size_t count = batch->requests.size();
  version->stats.Taken(batch->requests.data(), count, batch->release, batch->held_since_ns, now_ns);
  std::unique_ptr<RunPlace> place = version->TakePlace();
  place->times.begun_ns = now_ns;
  const Status status = TryRun(version, place.get(), batch->requests.data(), count, batch->rows);
  if (!status.ok() && count == 1) {
    FailRequest(version, batch->requests[0], status);
  } else if (!status.ok()) {
    for (Request*& request : batch->requests) {
      place->times.begun_ns = NowNs();
      const Status alone = TryRun(version, place.get(), &request, 1, request->rows);
      if (!alone.ok()) FailRequest(version, request, alone);
    }
  }
  version->ReturnPlace(std::move(place));
  return NowNs() - now_ns;
}

}  // namespace sluice
