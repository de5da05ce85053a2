// OrtModel: one loaded model. Loading happens on whatever thread calls Load (never the event loop);
// afterwards any thread may read the signature, and any number of slots may run at the same time. Frees the
// session when the last owner lets go.
#pragma once

#include <memory>
#include <vector>

#include "run/ort_api.h"
#include "run/ort_arena.h"
#include "run/runner.h"
#include "run/session_options.h"

namespace sluice {

class OrtModel : public Runner {
 public:
  static Status Load(const Ort& ort, const SessionOptions& options, std::unique_ptr<OrtModel>* session);
  ~OrtModel() override;

  const ModelSignature& signature() const override { return signature_; }

  std::unique_ptr<RunSlot> NewSlot(const ModelSpec& spec) override;
  int64_t ArenaBytes() const override { return arena_ == nullptr ? -1 : arena_->Bytes(); }

 private:
  explicit OrtModel(const Ort& ort) : ort_(ort) {}
  Status ReadSignature(bool is_input, std::vector<TensorSignature>* tensors);

  const Ort& ort_;
  ::OrtSession* session_ = nullptr;
  std::unique_ptr<OrtArena> arena_;  // null: made without one
  ModelSignature signature_;
};

}  // namespace sluice
