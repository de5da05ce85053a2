// The sender's half that reads: where a reply ends, what it counts for, what happens to a broken connection.
#include <algorithm>

#include "expect.h"
#include "sender.h"

namespace sluice::load {

// False when the connection is no longer the one that was read from.
bool Sender::ReadReplies(uint32_t index, int64_t now) {
  Connection& connection = *connections_[index];
  while (!connection.input().empty()) {
    WireReply reply;
    const bool is_greeting = connection.state == ConnectionState::kGreeting;
    const int64_t size = is_greeting ? wire_->ReadGreeting(connection.input(), &reply)
                                     : wire_->Read(connection.input(), &reply);
    if (size == 0) return true;
    if (size < 0 || (!reply.is_control && connection.under_way() == 0)) {
      Drop(index, &outcome_.bad_replies);
      return false;
    }
    if (!reply.answer.empty()) connection.Send(reply.answer);
    if (is_greeting) {
      OnReady(index, now);
    } else if (!reply.bundle.empty()) {
      if (!OnBundle(index, reply.bundle, now)) {
        Drop(index, &outcome_.bad_replies);
        return false;
      }
    } else if (!reply.is_control && !OnReply(index, reply, now)) {
      // An answer that nobody asked for, or a second one.
      Drop(index, &outcome_.bad_replies);
      return false;
    }
    if (reply.is_last) {
      Drop(index, nullptr);
      return false;
    }
    connection.Consume(static_cast<size_t>(size));
  }
  return true;
}

bool Sender::OnBundle(uint32_t index, std::string_view bundle, int64_t now) {
  while (!bundle.empty()) {
    WireReply reply;
    if (!wire_->ReadBundled(&bundle, &reply)) return false;
    if (!reply.is_control && !OnReply(index, reply, now)) return false;
  }
  return true;
}

bool Sender::OnReply(uint32_t index, const WireReply& reply, int64_t now) {
  UnderWay request;
  if (own_frames_.empty()) {
    request = connections_[index]->Pop();
  } else if (!connections_[index]->Take(reply.id, &request)) {
    return false;
  }
  --under_way_;
  ++outcome_.answered;
  Count(request, reply, now);
  if (!reply.is_last) free_.push_back({index, now});
  return true;
}

void Sender::OnReady(uint32_t index, int64_t now) {
  connections_[index]->state = ConnectionState::kReady;
  for (uint32_t i = 0; i < options_.in_flight; ++i) free_.push_back({index, now});
}

void Sender::Drop(uint32_t index, uint64_t* counter) {
  Connection& connection = *connections_[index];
  // A connection that ends with nothing under way lost nothing, and is only opened again.
  if (counter != nullptr) {
    *counter += connection.state == ConnectionState::kReady ? connection.under_way() : 1;
  }
  under_way_ -= connection.under_way();
  std::erase_if(free_, [&](const Slot& slot) { return slot.index == index; });
  const bool was_ready = connection.state == ConnectionState::kReady;
  connection.Close();
  if (was_ready && is_running_ && !connection.Open(address_, epoll_, index)) ++outcome_.connect_errors;
}

// Answers are checked in the warm-up too: a wrong one is wrong at any time.
bool Sender::Verify(const UnderWay& request, const WireReply& reply) {
  const PreparedRequest& sent = requests_[request.request];
  if (sent.expected_bodies.empty()) return true;
  const auto found = std::find_if(
      sent.expected_bodies.begin(), sent.expected_bodies.end(), [&](const std::string& expected) {
        return IsExpected(reply.body, expected, sent.expected_float_bytes, options_.tolerance);
      });
  const bool is_right = found != sent.expected_bodies.end();
  if (is_right) {
    const auto which = static_cast<size_t>(found - sent.expected_bodies.begin());
    if (which >= outcome_.expected.size()) outcome_.expected.resize(which + 1);
    outcome_.expected[which].Count(request.sent_ns);
  }
  ++(is_right ? outcome_.verified : outcome_.mismatched);
  if (!is_right && !outcome_.groups.empty()) ++outcome_.groups[sent.group].mismatched;
  return is_right;
}

void Sender::Count(const UnderWay& request, const WireReply& reply, int64_t now) {
  const bool is_answer = reply.status >= 200 && reply.status < 300;
  const bool is_right = !is_answer || Verify(request, reply);
  // A ceiling counts what was answered inside the window; an open loop answers for everything it meant to
  // send.
  const int64_t counted_ns = is_open_ ? request.intended_ns : now;
  if (!IsMeasured(counted_ns)) return;
  const int64_t latency_ns = now - request.intended_ns;
  const bool is_good = is_answer && is_right && (deadline_ns_ == 0 || latency_ns <= deadline_ns_);
  ++outcome_.replies;
  ++outcome_.by_status[reply.status];
  outcome_.good += is_good;
  outcome_.reply_bytes += reply.body.size();
  outcome_.last_reply_ns = std::max(outcome_.last_reply_ns, now);
  (is_answer ? outcome_.latency : outcome_.refused).Record(latency_ns);
  if (is_answer) outcome_.service.Record(now - request.sent_ns);
  if (reply.status == 429 || reply.status == 503) outcome_.turned_away.Record(now - request.sent_ns);
  if (TimeSlot* slot = outcome_.timeline.At(counted_ns - measure_begin_ns_)) {
    slot->good += is_good;
    slot->refused += !is_answer;
    if (is_answer) slot->latency.Record(latency_ns);
  }
  if (outcome_.groups.empty()) return;
  GroupOutcome& group = outcome_.groups[requests_[request.request].group];
  ++group.by_status[reply.status];
  group.good += is_good;
  (is_answer ? group.latency : group.refused).Record(latency_ns);
}

}  // namespace sluice::load
