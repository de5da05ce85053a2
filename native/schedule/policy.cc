#include "schedule/policy.h"

#include <algorithm>

namespace sluice {

namespace {
// Below this a timer fires so late (30-85 us measured) that waiting costs more than it brings.
constexpr int64_t kShortestWaitNs = 100'000;
}  // namespace

BatchDecision DecideBatch(const BatchRules& rules, const LaneFacts& facts, int64_t now_ns) {
  BatchDecision decision;
  decision.may_run = true;
  const int64_t limit_rows = std::min(rules.limit_rows, facts.limit_rows);
  decision.take_rows = limit_rows;
  if (facts.rows >= limit_rows) decision.release = Release::kFull;
  if (facts.rows >= limit_rows || rules.max_queue_delay_ns <= 0) return decision;

  const int64_t release_ns = std::min(facts.oldest_ns + rules.max_queue_delay_ns, facts.latest_start_ns);
  decision.release = Release::kDelayOver;
  if (release_ns - now_ns < kShortestWaitNs) return decision;

  // Triton's rule: the largest preferred size that is reached is sent at once, what is over waits on.
  for (auto size = rules.preferred_rows.rbegin(); size != rules.preferred_rows.rend(); ++size) {
    if (*size < limit_rows && facts.rows >= *size) {
      decision.take_rows = *size;
      decision.release = Release::kPreferred;
      return decision;
    }
  }
  decision.may_run = false;
  decision.look_again_ns = release_ns;
  return decision;
}

}  // namespace sluice
