#include "schedule/version_queue.h"

#include <limits>

namespace sluice {

bool MayShareRun(const Request& a, const Request& b) {
  if (a.shape_key != b.shape_key) return false;
  if (a.shape_key == 0) return true;  // every dimension is fixed by the model
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    if (!(a.inputs[i].dims == b.inputs[i].dims)) return false;
  }
  return true;
}

void VersionQueue::Push(Request* request) {
  for (Lane& lane : lanes_) {
    if (MayShareRun(*lane.waiting[lane.first], *request)) {
      lane.waiting.push_back(request);
      lane.rows += request->rows;
      return;
    }
  }
  Lane lane;
  lane.waiting.push_back(request);
  lane.rows = request->rows;
  lanes_.push_back(std::move(lane));
}

bool VersionQueue::Take(int64_t now_ns, Batch* batch, int64_t* look_again_ns) {
  size_t chosen = lanes_.size();
  BatchDecision chosen_decision;
  int64_t oldest_ns = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    const LaneFacts facts{lane.rows, lane.waiting[lane.first]->submitted_ns};
    if (facts.oldest_ns >= oldest_ns) continue;
    const BatchDecision decision = DecideBatch(rules_, facts, now_ns);
    if (decision.may_run) {
      chosen = i;
      chosen_decision = decision;
      oldest_ns = facts.oldest_ns;
      continue;
    }
    if (lane.held_since_ns == 0) lane.held_since_ns = now_ns;
    if (*look_again_ns == 0 || decision.look_again_ns < *look_again_ns)
      *look_again_ns = decision.look_again_ns;
  }
  if (chosen == lanes_.size()) return false;

  batch->release = chosen_decision.release;
  batch->held_since_ns = lanes_[chosen].held_since_ns;
  lanes_[chosen].held_since_ns = 0;
  TakeFromLane(&lanes_[chosen], chosen_decision.take_rows, batch);
  if (lanes_[chosen].first == lanes_[chosen].waiting.size()) {
    if (chosen + 1 != lanes_.size()) lanes_[chosen] = std::move(lanes_.back());
    lanes_.pop_back();
  }
  return true;
}

void VersionQueue::TakeFromLane(Lane* lane, int64_t take_rows, Batch* batch) {
  while (lane->first < lane->waiting.size()) {
    Request* request = lane->waiting[lane->first];
    if (request->is_cancelled.load(std::memory_order_relaxed)) {
      batch->cancelled.push_back(request);
    } else {
      const bool is_first = batch->requests.empty();
      if (!is_first && (!may_batch_ || batch->rows + request->rows > take_rows)) break;
      batch->requests.push_back(request);
      batch->rows += request->rows;
    }
    lane->rows -= request->rows;
    ++lane->first;
  }
  // Keeps a lane that never runs empty from growing for ever.
  if (lane->first > 256 && lane->first * 2 > lane->waiting.size()) {
    lane->waiting.erase(lane->waiting.begin(),
                        lane->waiting.begin() + static_cast<std::ptrdiff_t>(lane->first));
    lane->first = 0;
  }
}

void VersionQueue::TakeAll(std::vector<Request*>* requests) {
  for (Lane& lane : lanes_) {
    requests->insert(requests->end(), lane.waiting.begin() + static_cast<std::ptrdiff_t>(lane.first),
                     lane.waiting.end());
  }
  lanes_.clear();
}

}  // namespace sluice
