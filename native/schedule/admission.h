// Admission: whether a request that came now would be answered in time. Pure functions of a few numbers, so
// that a refusal costs less than a microsecond and nothing has to be tuned.
#pragma once

#include <cstdint>

namespace sluice {

struct QueueFacts {
  int64_t rows_ahead = 0;  // waiting rows of the same or a higher level that go first; without batching, runs
  int64_t limit_rows = 1;  // rows of a full batch
  int64_t batch_ns = 0;    // cautious estimate of a full batch; 0 = nothing is known
  int64_t own_ns = 0;      // cautious estimate of the request's own rows
  int64_t residual_ns = 0;  // until a run may start
  int parallel_runs = 1;    // runs of the version at the same time
  double crowding = 1;      // versions that want a worker, per worker; at least 1
  double deviation = 0;     // of runs from their estimates
};

// When the answer would be there, from now on.
int64_t PredictNs(const QueueFacts& facts);

// Admits what is predicted to use at most 0.6 of the time it has (0.5 where runs vary much): the rest is for
// what the prediction does not see. With nothing ahead only the run itself must fit. Without estimates it
// admits.
bool MayAdmit(const QueueFacts& facts, int64_t left_ns);

}  // namespace sluice
