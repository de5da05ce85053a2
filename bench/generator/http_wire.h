// HTTP/1.1 replies with a Content-Length or in chunks, on connections that are kept.
#pragma once

#include "wire.h"

namespace sluice::load {

class HttpWire : public Wire {
 public:
  std::string_view Greeting() const override { return {}; }
  int64_t ReadGreeting(std::string_view, WireReply*) override { return -1; }
  int64_t Read(std::string_view input, WireReply* reply) override;

 private:
  struct Head {
    int status = 0;
    size_t content_length = 0;
    bool is_chunked = false;
    bool is_last = false;
  };

  bool ReadHead(std::string_view text, Head* head) const;
  int64_t ReadChunks(std::string_view input, size_t at, WireReply* reply);

  // The last head, bytes and meaning: replies to the same request differ only once a second, in their date.
  std::string known_text_;
  Head known_;
  std::string joined_chunks_;
};

}  // namespace sluice::load
