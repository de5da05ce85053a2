#include "engine/run_batch.h"

#include <exception>
#include <new>

#include "base/clock.h"
#include "codec/reply_encoder.h"
#include "engine/answer_tap.h"
#include "engine/cut_rows.h"
#include "engine/refusal.h"

namespace sluice {

namespace {

// A request that is run in pieces collects their outputs. True with the last piece: `all` are then its rows,
// in memory of the request.
bool KeepPart(const ModelSpec& spec, const std::vector<OutputRows>& piece, Request* request,
              std::vector<OutputRows>* all) {
  if (request->done_rows == 0) {
    request->parts.clear();
    request->part_bytes.assign(piece.size(), 0);
  }
  while (request->parts.size() < piece.size()) request->parts.push_back(std::make_unique<AlignedBuffer>());
  for (size_t o = 0; o < piece.size(); ++o) {
    // What a piece left behind that failed half-way is overwritten.
    request->parts[o]->Resize(request->part_bytes[o]);
    request->parts[o]->Append(piece[o].bytes, piece[o].byte_count);
  }
  for (size_t o = 0; o < piece.size(); ++o) request->part_bytes[o] = request->parts[o]->size();
  if (request->part_rows < request->rows_left()) return false;

  *all = piece;
  for (size_t o = 0; o < piece.size(); ++o) {
    OutputRows& rows = (*all)[o];
    rows.dims.at[0] = request->rows;
    rows.bytes = request->parts[o]->data();
    rows.byte_count = request->parts[o]->size();
    rows.elements = piece[o].elements / request->part_rows * request->rows;
    const size_t expected = static_cast<size_t>(rows.elements) * DataTypeBytes(spec.outputs[o].type);
    if (spec.outputs[o].type == DataType::kBytes || rows.byte_count == expected) continue;
    request->Fail(Status(Code::kRunFailed, "output \"" + spec.outputs[o].name +
                                               "\" has another inner shape in each piece of the request"));
    return false;
  }
  return true;
}

// `done`: how many requests, from the first on, have what this run has for them. They may not be run again: a
// tap may have taken their tensors.
Status RunRequests(ModelVersion* version, RunPlace* place, Request* const* requests, size_t count,
                   int64_t rows, size_t* done) {
  const ModelSpec& spec = version->spec();
  const std::vector<RunTensor>& gathered = place->input.Gather(requests, count, rows);
  place->times.gathered_ns = NowNs();
  Status status = place->slot->Run(gathered, rows, &place->outputs);
  place->times.ran_ns = NowNs();
  if (status.ok()) status = CheckOutputs(spec, place->outputs, rows, *requests[0]);
  if (!status.ok()) return status;

  const int64_t run_ns = place->times.ran_ns - place->times.gathered_ns;
  RowCutter cutter(spec, place->outputs, rows, &place->rows, &place->padded);
  std::vector<OutputRows> all_rows;
  for (; *done < count; ++*done) {
    Request* request = requests[*done];
    const std::vector<OutputRows>& piece = cutter.Next(*request);
    if (!request->is_whole() && !KeepPart(spec, piece, request, &all_rows)) continue;
    const std::vector<OutputRows>& outputs = request->is_whole() ? piece : all_rows;
    request->ran_ns = place->times.ran_ns;
    if (Status encoded = EncodeReply(spec, outputs, request); !encoded.ok()) {
      request->Fail(encoded);
    } else if (request->tap != nullptr) {
      request->tap->Answered(request, outputs, run_ns);
    }
  }
  place->times.encoded_ns = NowNs();
  version->stats.Ran(requests, count, rows, place->times);
  if (spec.has_padding()) version->stats.Padded(CountPadding(spec, requests, count));
  return Status();
}

Status FailedRun(const char* what) noexcept {
  try {
    return Status(Code::kRunFailed, what);
  } catch (const std::bad_alloc&) {
    return Status(Code::kRunFailed, "out of memory");  // short enough to need none
  }
}

// Memory may run out anywhere in a run; that is a failed run, not a dead process.
Status TryRun(ModelVersion* version, RunPlace* place, Request* const* requests, size_t count, int64_t rows,
              size_t* done) noexcept {
  *done = 0;
  Status status;
  try {
    status = RunRequests(version, place, requests, count, rows, done);
  } catch (const std::exception& error) {
    status = FailedRun(error.what());
  } catch (...) {
    status = FailedRun("unknown exception");
  }
  if (!status.ok()) version->stats.RunFailed();
  return status;
}

void FailRequest(ModelVersion* version, Request* request, const Status& status) noexcept {
  try {
    version->SetLastFailure(status.message());
    request->Fail(
        Status(Code::kRunFailed, "the run of " + version->spec().display + " failed on this request"));
  } catch (const std::bad_alloc&) {
    request->Fail(Code::kRunFailed, kNoMemoryText);
  }
}

}  // namespace

int64_t RunBatch(ModelVersion* version, Batch* batch, int64_t now_ns) noexcept {
  const size_t count = batch->requests.size();
  version->stats.Taken(batch->requests.data(), count, batch->release, batch->held_since_ns, now_ns);
  std::unique_ptr<RunPlace> place;
  try {
    place = version->TakePlace();
  } catch (const std::exception& error) {
    version->stats.RunFailed();
    const Status status = FailedRun(error.what());
    for (Request* request : batch->requests) FailRequest(version, request, status);
    return NowNs() - now_ns;
  }
  place->times.begun_ns = now_ns;
  size_t done = 0;
  const Status status = TryRun(version, place.get(), batch->requests.data(), count, batch->rows, &done);
  if (count == 1) {
    if (done == 0) FailRequest(version, batch->requests[0], status);
  } else {
    for (; done < count; ++done) {
      Request* request = batch->requests[done];
      place->times.begun_ns = NowNs();
      const bool is_gone = request->is_cancelled.load(std::memory_order_relaxed);
      if (is_gone || request->deadline_ns <= place->times.begun_ns) {
        FailRefused(*version, is_gone ? Code::kCancelled : Code::kDeadlinePassed, request);
        continue;
      }
      size_t alone_done = 0;
      const Status alone = TryRun(version, place.get(), &request, 1, request->part_rows, &alone_done);
      if (alone_done == 0) FailRequest(version, request, alone);
    }
  }
  version->ReturnPlace(std::move(place));
  return NowNs() - now_ns;
}

}  // namespace sluice
