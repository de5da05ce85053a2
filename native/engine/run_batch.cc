#include "engine/run_batch.h"

#include <exception>

#include "base/clock.h"
#include "codec/reply_encoder.h"
#include "engine/answer_tap.h"
#include "engine/cut_rows.h"

namespace sluice {

namespace {

Status RunRequests(ModelVersion* version, RunPlace* place, Request* const* requests, size_t count,
                   int64_t rows) {
  const ModelSpec& spec = version->spec();
  const std::vector<RunTensor>& gathered = place->input.Gather(requests, count, rows);
  place->times.gathered_ns = NowNs();
  Status status = place->slot->Run(gathered, rows, &place->outputs);
  place->times.ran_ns = NowNs();
  if (status.ok()) status = CheckOutputs(spec, place->outputs, rows);
  if (!status.ok()) return status;

  const int64_t run_ns = place->times.ran_ns - place->times.gathered_ns;
  RowCutter cutter(spec, place->outputs, rows, &place->rows);
  for (size_t r = 0; r < count; ++r) {
    Request* request = requests[r];
    const std::vector<OutputRows>& outputs = cutter.Next(request->rows);
    if (Status encoded = EncodeReply(spec, outputs, request); !encoded.ok()) {
      request->Fail(encoded);
    } else if (request->tap != nullptr) {
      request->tap->Answered(request, outputs, run_ns);
    }
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
