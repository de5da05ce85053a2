// What is counted, against a truth kept beside it.
#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "base/histogram.h"
#include "engine/version_stats.h"

#include "check.h"

namespace sluice {
namespace {

constexpr int64_t kUs = 1000;

TEST("every duration falls into the bucket whose bounds hold it, and bounds grow by an eighth at most") {
  std::mt19937_64 random(7);
  std::vector<int64_t> values = {-5, 0, 1, 124, 125, 126, 999, 1000, 1001};
  for (int bucket = 0; bucket + 1 < Histogram::kBuckets; ++bucket) {
    const int64_t upper = Histogram::UpperNs(bucket);
    values.insert(values.end(), {upper - 1, upper, upper + 1});
    const int64_t lower = bucket == 0 ? 0 : Histogram::UpperNs(bucket - 1);
    CHECK(upper > lower);
    if (lower >= kUs) CHECK(static_cast<double>(upper - lower) <= 0.125 * static_cast<double>(lower));
  }
  for (int i = 0; i < 100'000; ++i)
    values.push_back(static_cast<int64_t>(std::exp(static_cast<double>(random() % 2500) / 100.0)));
  int wrong = 0;
  for (const int64_t value : values) {
    const int bucket = Histogram::BucketOf(value);
    const bool is_above = bucket == 0 || value > Histogram::UpperNs(bucket - 1);
    const bool is_within = bucket == Histogram::kBuckets - 1 || value <= Histogram::UpperNs(bucket);
    if (!is_above || !is_within) ++wrong;
  }
  CHECK_EQ(wrong, 0);
  CHECK_EQ(Histogram::UpperNs(Histogram::kBuckets - 1), -1);
  CHECK_EQ(Histogram::UpperNs(Histogram::kBuckets - 2), (int64_t{1} << Histogram::kOctaves) * kUs);
}

TEST("powers of two microseconds are bounds, so that coarser buckets are exact sums of fine ones") {
  for (int octave = 0; octave <= Histogram::kOctaves; ++octave)
    CHECK_EQ(Histogram::UpperNs(octave * 8 + 7), (int64_t{1} << octave) * kUs);
}

TEST("four threads that add at once lose nothing") {
  Histogram histogram;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (int i = 0; i < 20'000; ++i) histogram.Add((t + 1) * kUs);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(histogram.Count(), uint64_t{80'000});
  CHECK_EQ(histogram.SumNs(), int64_t{20'000} * (1 + 2 + 3 + 4) * kUs);
  CHECK_EQ(histogram.CountAt(Histogram::BucketOf(3 * kUs)), uint64_t{20'000});
}

uint64_t CountOf(const VersionStats& stats, Stage stage) {
  return stats.protocol(0)->stages[static_cast<size_t>(stage)].Count();
}

int64_t SumOf(const VersionStats& stats, Stage stage) {
  return stats.protocol(0)->stages[static_cast<size_t>(stage)].SumNs();
}

uint64_t Ends(const VersionStats& stats, Outcome outcome) {
  return stats.protocol(0)->outcomes[static_cast<size_t>(outcome)].load();
}

TEST("the stages of a request add up to its whole time") {
  VersionStats stats;
  Request a, b;
  a.opened_ns = 100 * kUs;  // its body came in pieces
  a.submitted_ns = 130 * kUs;
  a.decoded_ns = 140 * kUs;
  b.submitted_ns = 150 * kUs;
  b.decoded_ns = 152 * kUs;
  a.rows = 2;
  b.rows = 3;
  a.body_bytes = 64;
  b.body_bytes = 96;
  Request* both[] = {&a, &b};
  stats.Accepted();
  stats.Accepted();
  CHECK_EQ(stats.waiting(), 2);
  // A worker was free from 145 us on, and the policy let both wait for company.
  stats.Taken(both, 2, Release::kDelayOver, 145 * kUs, 200 * kUs);
  CHECK_EQ(stats.waiting(), 0);
  stats.Ran(both, 2, 5, {200 * kUs, 204 * kUs, 250 * kUs, 259 * kUs});
  stats.Ended(both, 2, 259 * kUs);
  stats.Sent(WireForm::kV2, 2, kUs);

  CHECK_EQ(SumOf(stats, Stage::kReceive), 30 * kUs);
  CHECK_EQ(SumOf(stats, Stage::kDecode), (10 + 2) * kUs);
  CHECK_EQ(SumOf(stats, Stage::kQueue), 5 * kUs);
  CHECK_EQ(SumOf(stats, Stage::kBatchWait), (55 + 48) * kUs);
  CHECK_EQ(SumOf(stats, Stage::kGather), 2 * 4 * kUs);
  CHECK_EQ(SumOf(stats, Stage::kRun), 2 * 46 * kUs);
  CHECK_EQ(SumOf(stats, Stage::kEncode), 2 * 9 * kUs);
  CHECK_EQ(SumOf(stats, Stage::kSend), 2 * kUs);
  for (int stage = 0; stage < kStageCount; ++stage)
    CHECK_EQ(CountOf(stats, static_cast<Stage>(stage)), uint64_t{2});
  int64_t before_send = 0;
  for (int stage = 0; stage < kStageCount - 1; ++stage)
    before_send += SumOf(stats, static_cast<Stage>(stage));
  CHECK_EQ(stats.protocol(0)->ok_total.SumNs(), before_send);
  CHECK_EQ(stats.protocol(0)->ok_total.SumNs(), (159 + 109) * kUs);
  CHECK_EQ(Ends(stats, Outcome::kOk), uint64_t{2});
  CHECK_EQ(stats.ok_rows(), uint64_t{5});
  CHECK_EQ(stats.last_ok_ns(), 259 * kUs);
  CHECK_EQ(stats.protocol(0)->request_bytes.load(), uint64_t{160});
  CHECK_EQ(stats.released(static_cast<int>(Release::kDelayOver)), uint64_t{1});
  CHECK(stats.protocol(1) == nullptr);
}

TEST("what did not run is counted by its end, and no longer waits") {
  VersionStats stats;
  Request cancelled, expired, failed, refused;
  cancelled.code = Code::kCancelled;
  expired.code = Code::kDeadlinePassed;
  failed.code = Code::kRunFailed;
  refused.code = Code::kDraining;
  Request* all[] = {&cancelled, &expired, &failed, &refused};
  for (int i = 0; i < 4; ++i) stats.Accepted();
  stats.Taken(all + 2, 1, Release::kFull, 0, 10 * kUs);
  CHECK_EQ(stats.waiting(), 3);
  stats.Ended(all, 4, 20 * kUs);
  CHECK_EQ(stats.waiting(), 0);
  stats.Refused(WireForm::kV2, Code::kBadRequest);
  CHECK_EQ(Ends(stats, Outcome::kOk), uint64_t{0});
  CHECK_EQ(Ends(stats, Outcome::kCancelled), uint64_t{1});
  CHECK_EQ(Ends(stats, Outcome::kExpired), uint64_t{1});
  CHECK_EQ(Ends(stats, Outcome::kFailed), uint64_t{1});
  CHECK_EQ(Ends(stats, Outcome::kRefused), uint64_t{2});
  CHECK_EQ(stats.refused(static_cast<int>(Code::kBadRequest)), uint64_t{1});
  CHECK_EQ(stats.refused(static_cast<int>(Code::kDraining)), uint64_t{1});
  CHECK_EQ(stats.protocol(0)->failed_total.Count(), uint64_t{1});
  CHECK_EQ(stats.ok_rows(), uint64_t{0});
}

TEST("whatever is counted changes the mark, and nothing else does") {
  VersionStats stats;
  Request request;
  request.rows = 2;
  request.submitted_ns = request.decoded_ns = kUs;
  Request* one[] = {&request};
  std::vector<uint64_t> marks = {stats.Mark()};
  const auto counted = [&] {
    CHECK(std::find(marks.begin(), marks.end(), stats.Mark()) == marks.end());
    marks.push_back(stats.Mark());
    CHECK_EQ(stats.Mark(), marks.back());
  };
  stats.Accepted();
  counted();
  stats.Taken(one, 1, Release::kFull, 0, 2 * kUs);
  counted();
  stats.Ran(one, 1, 2, {2 * kUs, 3 * kUs, 4 * kUs, 5 * kUs});
  counted();
  stats.Ran(one, 1, 1000, {2 * kUs, 3 * kUs, 4 * kUs, 5 * kUs});
  counted();
  stats.Ended(one, 1, 5 * kUs);
  counted();
  stats.Sent(WireForm::kV2, 1, 0);
  counted();
  stats.Padded({8, 3});
  counted();
  stats.RunFailed();
  counted();
  stats.Refused(WireForm::kFrame, Code::kBadRequest);
  counted();
  // One comes while another goes: nobody more waits than before, and a count has changed.
  stats.Accepted();
  stats.Withdrawn();
  CHECK_EQ(stats.Mark(), marks.back());
}

TEST("batch sizes are counted exactly, small and large ones, in order") {
  VersionStats stats;
  Request request;
  Request* one[] = {&request};
  for (const int64_t rows :
       {int64_t{4}, int64_t{1000}, int64_t{1}, int64_t{4}, VersionStats::kMostDirectRows})
    stats.Ran(one, 1, rows, {0, kUs, 3 * kUs, 6 * kUs});
  std::vector<int64_t> sizes, runs;
  stats.VisitBatchSizes([&](int64_t rows, const BatchSizeStats& size) {
    sizes.push_back(rows);
    runs.push_back(static_cast<int64_t>(size.runs.load()));
    CHECK_EQ(size.run_ns.load(), 2 * kUs * runs.back());
  });
  CHECK(sizes == (std::vector<int64_t>{1, 4, VersionStats::kMostDirectRows, 1000}));
  CHECK(runs == (std::vector<int64_t>{1, 2, 1, 1}));
}

}  // namespace
}  // namespace sluice
