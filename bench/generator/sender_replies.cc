// The sender's half that reads: where a reply ends, what it counts for, what happens to a broken connection.
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
    } else if (!reply.is_control) {
      OnReply(index, reply, now);
    }
    if (reply.is_last) {
      Drop(index, nullptr);
      return false;
    }
    connection.Consume(static_cast<size_t>(size));
  }
  return true;
}

void Sender::OnReply(uint32_t index, const WireReply& reply, int64_t now) {
  const UnderWay request = connections_[index]->Pop();
  --under_way_;
  ++outcome_.answered;
  Count(request, reply, now);
  if (!reply.is_last) free_.push_back({index, now});
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

void Sender::Count(const UnderWay& request, const WireReply& reply, int64_t now) {
  const PreparedRequest& sent = requests_[request.request];
  const bool is_good = reply.status >= 200 && reply.status < 300;
  if (sent.has_expected && is_good) {
    // Answers are checked in the warm-up too: a wrong one is wrong at any time.
    if (reply.body == sent.expected_body) {
      ++outcome_.verified;
    } else {
      ++outcome_.mismatched;
    }
  }
  // A ceiling counts what was answered inside the window; an open loop answers for everything it meant to
  // send.
  const bool is_measured = is_open_ ? IsMeasured(request.intended_ns) : IsMeasured(now);
  if (!is_measured) return;
  ++outcome_.replies;
  ++outcome_.by_status[reply.status];
  outcome_.reply_bytes += reply.body.size();
  outcome_.last_reply_ns = std::max(outcome_.last_reply_ns, now);
  if (!is_good) {
    outcome_.refused.Record(now - request.intended_ns);
    return;
  }
  outcome_.latency.Record(now - request.intended_ns);
  outcome_.service.Record(now - request.sent_ns);
}

}  // namespace sluice::load
