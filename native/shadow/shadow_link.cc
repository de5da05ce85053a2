#include "shadow/shadow_link.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "base/clock.h"
#include "base/thread_priority.h"
#include "base/thread_wait.h"
#include "codec/pad_request.h"
#include "compare/compare_output.h"
#include "engine/cut_rows.h"

namespace sluice {

namespace {

// What a shadow takes of a core that is wanted all the time becomes a ninth.
constexpr int64_t kRestPerWait = 8;
constexpr int64_t kLeastRestNs = 100'000;
constexpr int64_t kMostRestNs = 100'000'000;

TensorView View(const TensorSpec& tensor, const OutputRows& rows) {
  TensorView view;
  view.type = tensor.type;
  view.dims = rows.dims;
  view.bytes = rows.bytes;
  view.byte_count = rows.byte_count;
  view.elements = rows.elements;
  return view;
}

bool LiesIn(const AlignedBuffer& buffer, const uint8_t* bytes) {
  return buffer.size() > 0 && bytes >= buffer.data() && bytes <= buffer.data() + buffer.size();
}

int64_t UnixMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

std::chrono::nanoseconds RestAfter(int64_t wait_ns) {
  const int64_t rest_ns = std::min(kRestPerWait * wait_ns, kMostRestNs);
  return std::chrono::nanoseconds(rest_ns < kLeastRestNs ? 0 : rest_ns);
}

Status ShadowLink::Open(const ModelSpec& primary, ModelVersion* shadow, ShadowRules rules,
                        std::shared_ptr<ShadowLink>* link) {
  SignatureMatch match;
  if (Status status = MatchSignatures(primary, shadow->spec(), &match); !status.ok()) return status;
  rules.by_output.resize(primary.outputs.size());
  std::shared_ptr<ShadowLink> made(new ShadowLink(primary, shadow, std::move(rules), std::move(match)));
  shadow->Hold();
  try {
    // The thread keeps the link alive, and needs nobody to join it.
    std::thread([self = made] { self->Work(); }).detach();
  } catch (...) {
    shadow->LetGo();
    throw;
  }
  *link = std::move(made);
  return Status();
}

ShadowLink::ShadowLink(const ModelSpec& primary, ModelVersion* shadow, ShadowRules rules,
                       SignatureMatch match)
    : primary_(primary),
      shadow_(shadow),
      shadow_spec_(shadow->spec()),
      rules_(std::move(rules)),
      match_(std::move(match)),
      queue_(rules_.limits),
      totals_(primary.outputs.size()),
      differences_(primary.outputs.size()) {
  for (std::vector<ShadowPair*>* pairs : {&taken_, &fitting_}) pairs->reserve(queue_.most_pairs());
  requests_.reserve(queue_.most_pairs());
}

void ShadowLink::Answered(Request* request, const std::vector<OutputRows>& outputs, int64_t run_ns) {
  totals_.answered.fetch_add(1, std::memory_order_relaxed);
  if (shadow_spec_.has_batch_dim() && request->rows > shadow_spec_.max_batch_rows)
    return Drop(ShadowDrop::kTooManyRows);
  bool uses_body = false;
  for (const RequestInput& input : request->inputs)
    uses_body = uses_body || LiesIn(request->body, input.bytes);
  const size_t output_bytes = RecordedBytes(outputs);
  ShadowDrop drop;
  ShadowPair* pair =
      queue_.Begin(request->tensors.size() + (uses_body ? request->body.size() : 0) + output_bytes, &drop);
  if (pair == nullptr) return Drop(drop);
  try {
    pair->outputs.Clear();
    pair->outputs.Reserve(output_bytes + outputs.size() * kAlignment);
    pair->primary = outputs;
    pair->request.inputs.clear();
    for (const size_t i : match_.input_of) pair->request.inputs.push_back(request->inputs[i]);
    pair->request.rows = request->rows;
    pair->request.shape_key = request->shape_key;
    pair->fits = PadAsShadow(&pair->request);
  } catch (const std::bad_alloc&) {
    queue_.Abandon();
    return Drop(ShadowDrop::kNoMemory);
  }
  for (OutputRows& output : pair->primary) {
    // Elements are compared where they lie, so each output begins where any type may.
    const size_t at = AlignUp(pair->outputs.size());
    pair->outputs.Resize(at);
    pair->outputs.Append(output.bytes, output.byte_count);
    output.bytes = pair->outputs.data() + at;
  }
  // The primary is done with its tensors: they change hands without a copy.
  pair->request.tensors.Swap(&request->tensors);
  if (uses_body) pair->request.body.Swap(&request->body);
  pair->request.part_rows = request->rows;
  pair->request.done_rows = 0;
  pair->primary_ns = run_ns;
  queue_.Commit(pair);
}

// Each of the two has padding rules of its own. The shadow has no input that the request has not.
bool ShadowLink::PadAsShadow(Request* request) {
  if (!primary_.has_padding() && !shadow_spec_.has_padding()) return true;
  for (size_t i = 0; i < request->inputs.size(); ++i) {
    const TensorSpec& tensor = primary_.inputs[match_.input_of[i]];
    RequestInput& input = request->inputs[i];
    if (tensor.pad_rule != kNoRule) input.dims.at[tensor.pad_dim] = input.length;
  }
  request->shape_key = InputShapeKey(shadow_spec_, request->inputs);
  return !shadow_spec_.has_padding() || PadRequest(shadow_spec_, request).ok();
}

bool ShadowLink::Close(std::chrono::milliseconds patience) {
  const size_t left = queue_.Close();
  totals_.dropped[static_cast<size_t>(ShadowDrop::kClosed)].fetch_add(static_cast<int64_t>(left));
  std::unique_lock<std::mutex> lock(mutex_);
  return ended_wake_.wait_for(lock, patience, [this] { return has_ended_; });
}

void ShadowLink::Work() {
  RunOnlyWhenIdle();
  const int64_t most_rows = shadow_->limit_rows();
  const ThreadWait wait;
  int64_t waited_ns = wait.Ns();
  for (;;) {
    queue_.Take(most_rows, &taken_);
    if (taken_.empty()) break;
    RunTaken();
    queue_.Recycle(taken_);
    const int64_t before_ns = waited_ns;
    waited_ns = wait.Ns();
    if (const auto rest = RestAfter(waited_ns - before_ns); rest.count() > 0) queue_.Rest(rest);
  }
  // Nothing of the version is touched from here on.
  shadow_->LetGo();
  std::lock_guard<std::mutex> lock(mutex_);
  has_ended_ = true;
  ended_wake_.notify_all();
}

void ShadowLink::RunTaken() {
  fitting_.clear();
  for (ShadowPair* pair : taken_) {
    if (pair->fits && FitsInputs(shadow_spec_, pair->request.inputs)) {
      fitting_.push_back(pair);
    } else {
      Skip(ShadowSkip::kInputShape);
    }
  }
  if (fitting_.empty()) return;
  std::unique_ptr<RunPlace> place;
  try {
    place = shadow_->TakePlace();
  } catch (const std::exception& error) {
    shadow_->SetLastFailure(error.what());
    for (size_t i = 0; i < fitting_.size(); ++i) Skip(ShadowSkip::kRunFailed);
    return;
  }
  size_t done = RunOnce(fitting_.data(), fitting_.size(), place.get());
  // As for the primary: one bad request must not hide the others.
  for (; done < fitting_.size(); ++done) {
    const bool may_repeat = fitting_.size() > 1;
    if (!may_repeat || RunOnce(&fitting_[done], 1, place.get()) == 0) Skip(ShadowSkip::kRunFailed);
  }
  shadow_->ReturnPlace(std::move(place));
}

size_t ShadowLink::RunOnce(ShadowPair* const* pairs, size_t count, RunPlace* place) noexcept {
  totals_.runs.Add(1);
  size_t compared = 0;
  try {
    int64_t rows = 0;
    requests_.clear();
    for (size_t i = 0; i < count; ++i) {
      requests_.push_back(&pairs[i]->request);
      rows += pairs[i]->request.rows;
    }
    const int64_t begin_ns = NowNs();
    Status status =
        place->slot->Run(place->input.Gather(requests_.data(), count, rows), rows, &place->outputs);
    const int64_t run_ns = NowNs() - begin_ns;
    if (status.ok()) status = CheckOutputs(shadow_spec_, place->outputs, rows, *requests_[0]);
    if (!status.ok()) {
      shadow_->SetLastFailure(status.message());
      return 0;
    }
    RowCutter cutter(shadow_spec_, place->outputs, rows, &place->rows, &place->padded);
    for (; compared < count; ++compared)
      Compare(pairs[compared], cutter.Next(pairs[compared]->request), run_ns);
  } catch (const std::exception& error) {
    shadow_->SetLastFailure(error.what());
  } catch (...) {
    shadow_->SetLastFailure("unknown exception");
  }
  return compared;
}

void ShadowLink::Compare(ShadowPair* pair, const std::vector<OutputRows>& outputs, int64_t run_ns) {
  const int64_t rows = primary_.has_batch_dim() ? pair->request.rows : 1;
  bool is_apart = false;
  double excess = 0;
  for (size_t o = 0; o < pair->primary.size(); ++o) {
    const TensorView primary = View(primary_.outputs[o], pair->primary[o]);
    const size_t s = match_.output_of[o];
    // An output that the shadow lacks is one of another shape.
    const TensorView shadow =
        s == SignatureMatch::kNone ? TensorView() : View(shadow_spec_.outputs[s], outputs[s]);
    differences_[o] = CompareOutput(primary, shadow, rows, rules_.by_output[o]);
  }
  // Counted when all of it is known: what throws above is compared again, or not at all.
  for (size_t o = 0; o < pair->primary.size(); ++o) {
    const OutputDifference& difference = differences_[o];
    totals_.by_output[o]->Add(difference);
    if (!difference.is_apart()) continue;
    is_apart = true;
    excess = std::max(excess, difference.worst_excess);
  }
  totals_.compared.Add(1);
  totals_.rows.Add(rows);
  totals_.primary_run.Add(pair->primary_ns);
  totals_.shadow_run.Add(run_ns);
  if (!is_apart) return;
  totals_.apart.Add(1);
  if (store_.Wants(excess)) Keep(*pair, outputs, excess);
}

void ShadowLink::Keep(const ShadowPair& pair, const std::vector<OutputRows>& outputs, double excess) {
  try {
    Mismatch mismatch;
    mismatch.unix_ms = UnixMs();
    mismatch.excess = excess;
    mismatch.rows = pair.request.rows;
    mismatch.by_output = differences_;
    mismatch.has_bodies =
        RecordedBytes(pair.request.inputs) + RecordedBytes(pair.primary) + RecordedBytes(outputs) <=
        MismatchStore::kMostBodyBytes;
    if (mismatch.has_bodies) {
      // In the shadow's words: the request then names exactly what both versions know.
      mismatch.request = RecordRequest(shadow_spec_, pair.request.inputs, pair.request.rows);
      mismatch.primary = RecordAnswer(primary_, pair.primary);
      mismatch.shadow = RecordAnswer(shadow_spec_, outputs);
    }
    store_.Put(std::move(mismatch));
  } catch (const std::bad_alloc&) {
    // The counters have it; the keepsake is not worth more.
  }
}

}  // namespace sluice
