// Runner: something that turns input tensors into output tensors. Two kinds exist: ONNX Runtime, and a
// scripted one for tests. A runner may be used by many threads through slots; a slot serves one run at a time
// and owns the memory of its outputs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/model_spec.h"
#include "base/shape.h"
#include "base/status.h"
#include "run/load_facts.h"

namespace sluice {

struct RunTensor {
  Dims dims;                       // all of them, the batch dimension in front where the model has one
  const uint8_t* bytes = nullptr;  // BYTES in V2 form
  size_t byte_count = 0;
  int64_t elements = 0;
};

// What a model file says of its tensors; shapes include the batch dimension, -1 varies.
struct TensorSignature {
  std::string name;
  DataType type = DataType::kInvalid;
  std::vector<int64_t> shape;
};

struct ModelSignature {
  std::vector<TensorSignature> inputs;
  std::vector<TensorSignature> outputs;
};

class RunSlot {
 public:
  virtual ~RunSlot() = default;
  // `inputs` and `outputs` are in the model's order. Output bytes are valid until the next Run or Release on
  // this slot. A failed run leaves the slot usable, and so does one that throws std::bad_alloc. The message
  // is for the log, not for clients.
  virtual Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) = 0;
  // Gives back what the last run's outputs held.
  virtual void Release() = 0;
  // Memory that stays between runs.
  virtual size_t KeptBytes() const { return 0; }
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual const ModelSignature& signature() const = 0;
  const LoadFacts& load_facts() const { return load_facts_; }
  // `spec` must outlive the slot.
  virtual std::unique_ptr<RunSlot> NewSlot(const ModelSpec& spec) = 0;
  // What its own allocator has from the system; negative where it has none, or does not tell. Any thread.
  virtual int64_t ArenaBytes() const { return -1; }

 protected:
  LoadFacts load_facts_;
};

}  // namespace sluice
