// Which lane of a version goes next, and which of its requests make the batch: the part of VersionQueue that
// Take needs. Same object, same mutex as version_queue.cc.
#include <algorithm>

#include "schedule/version_queue.h"

namespace sluice {

namespace {

int Rank(const Lane& lane) { return lane.level * 2 + (lane.is_delayed ? 1 : 0); }

}  // namespace

struct VersionQueue::Plan {
  int64_t now_ns = 0;
  int64_t limit_rows = 1;  // of the batch
  int64_t chunk_rows = 1;  // longest piece of one request
  bool is_fresh = false;   // estimates may drop the first request, too
  int64_t latest_end_ns = kNever;
};

const Lane* VersionQueue::ReadyLane(int64_t now_ns, bool may_background, BatchDecision* chosen,
                                    int64_t* look_again_ns) const {
  const Lane* best = nullptr;
  for (const auto& lane : lanes_) {
    if (lane->is_empty()) continue;
    const bool is_background = lane->level == kBackgroundPriority;
    // Idle capacity is left over only when nothing else of the version waits.
    if (is_background && (!may_background || rows_above_background_ > 0)) continue;
    if (best != nullptr) {
      const int order = Rank(*lane) - Rank(*best);
      if (order > 0 || (order == 0 && lane->first->queued_ns >= best->first->queued_ns)) continue;
    }
    LaneFacts facts{lane->rows, lane->first->submitted_ns, kNever, LimitOf(lane->first->shape_key)};
    if (rules_.batch.max_queue_delay_ns > 0 && lane->earliest_deadline_ns != kNever) {
      facts.latest_start_ns = lane->earliest_deadline_ns -
                              2 * EstimateNs(std::min(lane->rows, facts.limit_rows), lane->first->shape_key);
    }
    const BatchDecision decision = DecideBatch(rules_.batch, facts, now_ns);
    if (decision.may_run) {
      best = lane.get();
      *chosen = decision;
      continue;
    }
    if (lane->held_since_ns == 0) lane->held_since_ns = now_ns;
    if (*look_again_ns == 0 || decision.look_again_ns < *look_again_ns) {
      *look_again_ns = decision.look_again_ns;
    }
  }
  return best;
}

bool VersionQueue::HasReady(int64_t now_ns, bool may_background, int64_t* look_again_ns) const {
  BatchDecision decision;
  return ReadyLane(now_ns, may_background, &decision, look_again_ns) != nullptr;
}

void VersionQueue::Take(const TakeTerms& terms, Batch* batch, std::vector<Request*>* dropped) {
  // No row may be taken that there is no room for.
  dropped->reserve(dropped->size() + static_cast<size_t>(waiting_requests()));
  batch->requests.reserve(most_batch_requests());
  DropDue(terms.now_ns, dropped);
  BatchDecision decision;
  int64_t look_again_ns = 0;
  auto* lane = const_cast<Lane*>(ReadyLane(terms.now_ns, terms.may_background, &decision, &look_again_ns));
  if (lane == nullptr) return;

  batch->release = decision.release;
  batch->held_since_ns = lane->held_since_ns;
  lane->held_since_ns = 0;
  const uint64_t shape_key = lane->first->shape_key;
  Plan plan;
  plan.now_ns = terms.now_ns;
  // Without batching a run is one request, or a piece of one that may be split.
  plan.limit_rows = rules_.may_batch ? std::max<int64_t>(decision.take_rows, 1) : rules_.most_run_rows;
  plan.chunk_rows = ChunkRows(shape_key);
  if (terms.quantum_ns > 0) {
    const int64_t quantum_rows = RowsWithin(terms.quantum_ns, shape_key);
    plan.limit_rows = std::min(plan.limit_rows, quantum_rows);
    if (rules_.may_batch) plan.chunk_rows = std::min(plan.chunk_rows, quantum_rows);
  }
  plan.is_fresh = terms.now_ns < stale_at_ns_.load(std::memory_order_relaxed);

  Fill(lane, &plan, batch, dropped);
  const bool may_mix = rules_.may_batch && !rules_.keeps_order && lane->level != kBackgroundPriority;
  // Room that is left is filled from the same shape's other levels, the higher first.
  while (may_mix && !batch->requests.empty() && batch->rows < plan.limit_rows) {
    Lane* other = nullptr;
    for (const auto& candidate : lanes_) {
      if (candidate.get() == lane || candidate->is_empty() || candidate->level == kBackgroundPriority)
        continue;
      if (Rank(*candidate) <= Rank(*lane) || !MayShareRun(*candidate->first, *batch->requests[0])) continue;
      if (other == nullptr || Rank(*candidate) < Rank(*other)) other = candidate.get();
    }
    if (other == nullptr) break;
    lane = other;
    Fill(lane, &plan, batch, dropped);
  }
  EraseEmptyLanes();
}

int64_t VersionQueue::PartRows(const Request& request, const Plan& plan, int64_t batch_rows) const {
  const int64_t left = request.rows_left();
  const int64_t room = plan.limit_rows - batch_rows;
  if (left <= room) return left;
  const bool is_long = rules_.may_cut && left > plan.chunk_rows;
  // A long request fills what room there is; a short one waits for a batch of its own rather than being cut.
  if (batch_rows > 0) return is_long ? std::max<int64_t>(room, 0) : 0;
  return is_long ? std::max(std::min(plan.limit_rows, plan.chunk_rows), int64_t{1}) : left;
}

void VersionQueue::Fill(Lane* lane, Plan* plan, Batch* batch, std::vector<Request*>* dropped) {
  // With more waiting than fits, a batch is always full, and who cannot bear a full one is let go; with less,
  // the batch stops growing where it would make somebody late.
  const bool is_crowded = lane->rows > plan->limit_rows - batch->rows;
  for (Request* request = lane->first; request != nullptr;) {
    Request* const next = request->next;
    if (!batch->requests.empty()) {
      if (!rules_.may_batch || batch->rows >= plan->limit_rows) return;
      if (rules_.keeps_order && !MayShareRun(*request, *batch->requests[0])) return;
    }
    const int64_t part = PartRows(*request, *plan, batch->rows);
    if (part <= 0) return;
    const int64_t least_rows = is_crowded && rules_.may_batch ? std::max(plan->limit_rows, part) : part;
    const int64_t least_ns = EstimateNs(least_rows, request->shape_key);
    const bool may_drop = plan->is_fresh || !batch->requests.empty();
    if (may_drop && request->deadline_ns - plan->now_ns < least_ns) {
      request->drop_code = Code::kQueueFull;
      Leave(request);
      dropped->push_back(request);
      request = next;
      continue;
    }
    const int64_t end_ns = plan->now_ns + EstimateNs(batch->rows + part, request->shape_key);
    const int64_t latest_ns = std::min(plan->latest_end_ns, request->deadline_ns);
    if (!batch->requests.empty() && end_ns > latest_ns) return;
    plan->latest_end_ns = latest_ns;
    Leave(request);
    request->phase = Phase::kRunning;
    request->part_rows = part;
    request->start_by_ns = kNever;
    batch->requests.push_back(request);
    batch->rows += part;
    request = next;
  }
}

}  // namespace sluice
