// OrtSlot: the memory of one run at a time on a loaded model. Where every shape is fixed but the batch, the
// ORT values of each batch size are made once over memory that stays, inputs and outputs alike; otherwise
// they are made per run. Used by one thread at a time; frees its values. The session and the spec must
// outlive it.
#pragma once

#include <memory>
#include <vector>

#include "memory/aligned_buffer.h"
#include "run/ort_api.h"
#include "run/ort_values.h"
#include "run/runner.h"

namespace sluice {

class OrtSlot : public RunSlot {
 public:
  OrtSlot(const Ort& ort, OrtSession* session, const ModelSpec& spec);

  Status Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) override;
  void Release() override { held_.Clear(); }
  size_t KeptBytes() const override;

 private:
  // The values of one batch size. `input_bytes` tells whether the inputs still lie where they lay.
  struct KeptValues {
    explicit KeptValues(const Ort& ort) : inputs(ort), outputs(ort) {}

    std::vector<const uint8_t*> input_bytes;
    OrtValues inputs;
    OrtValues outputs;
  };

  Status RunKept(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs);
  Status RunFresh(const std::vector<RunTensor>& inputs, std::vector<RunTensor>* outputs);
  Status MakeKept(const std::vector<RunTensor>& inputs, int64_t rows, KeptValues* kept);
  Status MakeTensor(DataType type, const Dims& dims, const uint8_t* bytes, size_t byte_count,
                    OrtValue** value);
  Status MakeStrings(const RunTensor& tensor, OrtValue** value);
  Status ReadOutput(OrtValue* value, DataType type, AlignedBuffer* strings, RunTensor* output);
  Status Call(const OrtValues& inputs, OrtValues* outputs);

  const Ort& ort_;
  OrtSession* const session_;
  const ModelSpec& spec_;
  bool keeps_values_ = false;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<std::unique_ptr<AlignedBuffer>> output_memory_;  // fixed outputs, or BYTES outputs in V2 form
  std::vector<std::unique_ptr<KeptValues>> kept_;              // by rows; whole, or null
  OrtValues held_;                                             // outputs of the last fresh run
};

}  // namespace sluice
