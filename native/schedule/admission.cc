#include "schedule/admission.h"

#include <algorithm>

namespace sluice {

namespace {
constexpr double kShare = 0.6;
constexpr double kShareWhenUneven = 0.5;
constexpr double kUneven = 0.2;
}  // namespace

int64_t PredictNs(const QueueFacts& facts) {
  const int64_t limit = std::max<int64_t>(facts.limit_rows, 1);
  // The request rides in the batch that its own rows complete.
  const int64_t batches_ahead = facts.rows_ahead / limit;
  const double wait = static_cast<double>(batches_ahead) * static_cast<double>(facts.batch_ns) *
                      std::max(facts.crowding, 1.0) / std::max(facts.parallel_runs, 1);
  const int64_t own_ns = facts.rows_ahead > 0 ? std::max(facts.own_ns, facts.batch_ns) : facts.own_ns;
  return facts.residual_ns + static_cast<int64_t>(wait) + own_ns;
}

bool MayAdmit(const QueueFacts& facts, int64_t left_ns) {
  if (facts.batch_ns <= 0) return true;
  const int64_t predicted_ns = PredictNs(facts);
  const double share = facts.deviation > kUneven ? kShareWhenUneven : kShare;
  if (predicted_ns <= static_cast<int64_t>(static_cast<double>(left_ns) * share)) return true;
  return facts.rows_ahead == 0 && predicted_ns <= left_ns;
}

}  // namespace sluice
