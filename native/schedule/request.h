// Request: one infer request from decode to reply. Owned by its port's pool; between submit and completion
// exactly one thread holds it (loop -> queue -> worker -> port), and each hand-off is a move of the pointer
// under a lock or on the same thread. While another thread holds it the loop touches `is_cancelled` alone.
//
// A run that is late does not keep its callers: the watch then sets `early_code` and tells the port, while
// the worker still holds the request. The port tells the client, and takes the request back only when the
// worker has let go of it, so a request is answered once and its memory is never freed under a run.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "base/status.h"
#include "memory/aligned_buffer.h"

namespace sluice {

struct RequestInput {
  const uint8_t* bytes =
      nullptr;        // inside the request's `tensors` or `body`; BYTES in V2 form (length, bytes, ...)
  size_t offset = 0;  // used while `tensors` may still move
  size_t byte_count = 0;
  int64_t elements = 0;
  // Without the batch dimension, as the model wants it. Along a padded dimension, what the run has.
  Dims dims;
  int64_t length = 0;  // what the request itself has there; only where a padding rule names the input
  // Of BYTES that are run in pieces: a row, and where it begins. Whoever gathers a piece leaves its first row
  // here.
  int64_t known_row = 0;
  size_t known_at = 0;
};

class CompletionPort;
class AnswerTap;
struct Lane;

inline constexpr int64_t kNever = INT64_MAX;

enum class Phase : uint8_t { kOutside, kWaiting, kRunning };

// Below every level: takes idle capacity only. Equals BACKGROUND_PRIORITY of src/core/model.ts.
inline constexpr uint8_t kBackgroundPriority = 255;
// The lowest level that a wire form may ask for.
inline constexpr uint8_t kLowestPriority = 254;

// How a request came, and so how its answer goes.
enum class WireForm : uint8_t { kV2, kFrame };

struct Request {
  // Identity and owner.
  uint32_t ticket = 0;
  CompletionPort* port = nullptr;
  void* version = nullptr;  // the engine's ModelVersion; the scheduler never looks inside
  std::atomic<bool> is_cancelled{false};

  // What the client asked for; 0 = nothing. The body's words count where the caller of submit said nothing.
  uint8_t priority = 0;
  int64_t queue_timeout_ns = 0;

  // Set by whoever takes the bytes in.
  WireForm wire = WireForm::kV2;
  uint32_t frame_id = 0;  // the client's number for it, told again in the reply frame
  bool wants_times = false;
  std::shared_ptr<AnswerTap> tap;  // who wants the answer beside the client; usually nobody

  // Decoded by the codec.
  int64_t rows = 0;  // 1 for a model without batch dimension
  uint64_t shape_key = 0;
  std::vector<RequestInput> inputs;  // in the model's order
  std::string id_json;               // the id as JSON text with quotes; empty = none
  uint64_t wanted_outputs = 0;
  uint64_t binary_outputs = 0;
  bool is_raw_reply = false;  // raw binary request: no id, all outputs binary

  // Memory.
  AlignedBuffer tensors;  // decoded tensors
  AlignedBuffer body;     // a collected body, when it did not come in one piece
  int64_t head_length = -1;

  // Times, monotonic nanoseconds.
  int64_t opened_ns = 0;  // the first byte of a body that came in pieces; 0 = it came in one
  int64_t submitted_ns = 0;
  int64_t deadline_ns = 0;  // always set: the request is answered by then
  int64_t decoded_ns = 0;
  int64_t taken_ns = 0;  // left the queue in a batch; 0 = never
  int64_t ran_ns = 0;    // the run that brought the last of its rows ended
  int64_t held_ns = 0;   // how long the policy let it wait for company while a worker was free
  int64_t gathered_ns = 0;
  int64_t ended_ns = 0;

  size_t body_bytes = 0;  // as it came; for the statistics

  // The wait. Guarded by the scheduler's mutex from submit to completion.
  Phase phase = Phase::kOutside;
  Lane* lane = nullptr;  // where it waits
  Request* previous = nullptr;
  Request* next = nullptr;
  int64_t start_by_ns = kNever;  // the queue timeout of its level
  int64_t queued_ns = 0;         // since when it stands in its lane
  size_t bytes = 0;              // what the queue counts for it
  int64_t next_units = 0;        // and of its next run
  Code drop_code = Code::kOk;    // why it left the queue without a run
  Code early_code = Code::kOk;   // what its client was told while it was still running

  // The run. A request of more rows than a run may take comes back to its lane until all are done.
  int64_t done_rows = 0;
  int64_t part_rows = 0;                              // rows of the present run, from `done_rows` on
  std::vector<std::unique_ptr<AlignedBuffer>> parts;  // outputs of the rows that are done, by output
  std::vector<size_t> part_bytes;                     // of them, what whole pieces wrote
  int64_t rows_left() const { return rows - done_rows; }
  bool is_whole() const { return part_rows == rows; }

  bool is_told_early = false;  // the loop's: the early answer is out

  // Result.
  Code code = Code::kOk;
  AlignedBuffer reply;  // the V2 body or the reply frame, or the error's message
  size_t reply_head_bytes = 0;

  void Fail(const Status& status) noexcept { Fail(status.code(), status.message()); }
  // Where memory for the message is missing, the client gets the code without it.
  void Fail(Code why, std::string_view message) noexcept {
    code = why;
    reply.Clear();
    reply_head_bytes = 0;
    try {
      reply.Append(message.data(), message.size());
    } catch (const std::bad_alloc&) {
    }
  }
};

}  // namespace sluice
