#include "run/ort_slot.h"

#include <cstring>

#include "run/ort_types.h"

namespace sluice {

namespace {

// Beyond this, memory for every output at the largest batch is not set aside.
constexpr size_t kMostKeptBytes = size_t{64} << 20;
constexpr int64_t kMostKeptRows = 4096;

bool AllFixed(const std::vector<TensorSpec>& tensors) {
  for (const TensorSpec& tensor : tensors) {
    if (!tensor.has_fixed_bytes()) return false;
  }
  return true;
}

Dims BatchDims(const ModelSpec& spec, const TensorSpec& tensor, int64_t rows) {
  Dims dims;
  if (spec.has_batch_dim()) dims.Push(rows);
  for (const int64_t dim : tensor.model_dims) dims.Push(dim);
  return dims;
}

}  // namespace

OrtSlot::OrtSlot(const Ort& ort, OrtSession* session, const ModelSpec& spec)
    : ort_(ort), session_(session), spec_(spec), held_(ort) {
  for (const TensorSpec& input : spec.inputs) input_names_.push_back(input.name.c_str());
  for (const TensorSpec& output : spec.outputs) output_names_.push_back(output.name.c_str());
  const int64_t most_rows = spec.has_batch_dim() ? spec.max_batch_rows : 1;
  size_t output_bytes = 0;
  for (const TensorSpec& output : spec.outputs) {
    output_memory_.push_back(std::make_unique<AlignedBuffer>());
    if (output.has_fixed_bytes()) output_bytes += output.row_bytes() * static_cast<size_t>(most_rows);
  }
  keeps_values_ = AllFixed(spec.inputs) && AllFixed(spec.outputs) && output_bytes <= kMostKeptBytes &&
                  most_rows <= kMostKeptRows;
  if (!keeps_values_) return;
  kept_.resize(static_cast<size_t>(most_rows) + 1);
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    output_memory_[i]->Resize(spec.outputs[i].row_bytes() * static_cast<size_t>(most_rows));
  }
}

size_t OrtSlot::KeptBytes() const {
  size_t bytes = 0;
  for (const auto& memory : output_memory_) bytes += memory->capacity();
  return bytes;
}

Status OrtSlot::Run(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) {
  Release();
  outputs->resize(spec_.outputs.size());
  if (keeps_values_ && rows < static_cast<int64_t>(kept_.size())) return RunKept(inputs, rows, outputs);
  return RunFresh(inputs, outputs);
}

Status OrtSlot::RunKept(const std::vector<RunTensor>& inputs, int64_t rows, std::vector<RunTensor>* outputs) {
  std::unique_ptr<KeptValues>& kept = kept_[static_cast<size_t>(rows)];
  bool is_same_place = kept != nullptr;
  for (size_t i = 0; is_same_place && i < inputs.size(); ++i)
    is_same_place = kept->input_bytes[i] == inputs[i].bytes;
  if (!is_same_place) {
    auto fresh = kept == nullptr ? std::make_unique<KeptValues>(ort_) : std::move(kept);
    if (Status status = MakeKept(inputs, rows, fresh.get()); !status.ok()) return status;
    kept = std::move(fresh);
  }
  if (Status status = Call(kept->inputs, &kept->outputs); !status.ok()) return status;
  for (size_t i = 0; i < spec_.outputs.size(); ++i) {
    const TensorSpec& spec = spec_.outputs[i];
    RunTensor& output = (*outputs)[i];
    output.dims = BatchDims(spec_, spec, rows);
    output.elements = spec.row_elements * rows;
    output.byte_count = spec.row_bytes() * static_cast<size_t>(rows);
    output.bytes = output_memory_[i]->data();
  }
  return Status();
}

Status OrtSlot::MakeKept(const std::vector<RunTensor>& inputs, int64_t rows, KeptValues* kept) {
  kept->inputs.Clear();
  kept->input_bytes.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const RunTensor& input = inputs[i];
    Status status =
        MakeTensor(spec_.inputs[i].type, input.dims, input.bytes, input.byte_count, kept->inputs.Add());
    if (!status.ok()) return status;
    kept->input_bytes.push_back(input.bytes);
  }
  if (!kept->outputs.empty()) return Status();
  for (size_t i = 0; i < spec_.outputs.size(); ++i) {
    const TensorSpec& spec = spec_.outputs[i];
    Status status = MakeTensor(spec.type, BatchDims(spec_, spec, rows), output_memory_[i]->data(),
                               spec.row_bytes() * static_cast<size_t>(rows), kept->outputs.Add());
    if (!status.ok()) return status;
  }
  return Status();
}

Status OrtSlot::RunFresh(const std::vector<RunTensor>& inputs, std::vector<RunTensor>* outputs) {
  OrtValues values(ort_);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const RunTensor& input = inputs[i];
    const DataType type = spec_.inputs[i].type;
    OrtValue** value = values.Add();
    Status status = type == DataType::kBytes
                        ? MakeStrings(input, value)
                        : MakeTensor(type, input.dims, input.bytes, input.byte_count, value);
    if (!status.ok()) return status;
  }
  held_.Reset(spec_.outputs.size());
  if (Status status = Call(values, &held_); !status.ok()) return status;
  for (size_t i = 0; i < spec_.outputs.size(); ++i) {
    Status status = ReadOutput(held_[i], spec_.outputs[i].type, output_memory_[i].get(), &(*outputs)[i]);
    if (!status.ok()) return status;
  }
  return Status();
}

Status OrtSlot::Call(const OrtValues& inputs, OrtValues* outputs) {
  OrtStatus* status = ort_.api->Run(session_, nullptr, input_names_.data(), inputs.data(), inputs.size(),
                                    output_names_.data(), output_names_.size(), outputs->data());
  return TakeOrtStatus(ort_, status, Code::kRunFailed);
}

Status OrtSlot::MakeTensor(DataType type, const Dims& dims, const uint8_t* bytes, size_t byte_count,
                           OrtValue** value) {
  // A tensor without elements still needs an address.
  static uint8_t nothing[kAlignment];
  void* place = byte_count == 0 ? nothing : const_cast<uint8_t*>(bytes);
  OrtStatus* status =
      ort_.api->CreateTensorWithDataAsOrtValue(ort_.cpu_memory, place, byte_count, dims.at,
                                               static_cast<size_t>(dims.rank), DataTypeToOnnx(type), value);
  return TakeOrtStatus(ort_, status, Code::kInternal);
}

Status OrtSlot::MakeStrings(const RunTensor& tensor, OrtValue** value) {
  OrtAllocator* allocator = nullptr;
  Status status = TakeOrtStatus(ort_, ort_.api->GetAllocatorWithDefaultOptions(&allocator), Code::kInternal);
  if (!status.ok()) return status;
  status = TakeOrtStatus(
      ort_,
      ort_.api->CreateTensorAsOrtValue(allocator, tensor.dims.at, static_cast<size_t>(tensor.dims.rank),
                                       ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, value),
      Code::kInternal);
  const uint8_t* at = tensor.bytes;
  for (int64_t i = 0; status.ok() && i < tensor.elements; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof(length));
    char* room = nullptr;
    status = TakeOrtStatus(
        ort_, ort_.api->GetResizedStringTensorElementBuffer(*value, static_cast<size_t>(i), length, &room),
        Code::kInternal);
    if (status.ok() && length > 0) std::memcpy(room, at + sizeof(length), length);
    at += sizeof(length) + length;
  }
  return status;
}

Status OrtSlot::ReadOutput(OrtValue* value, DataType type, AlignedBuffer* strings, RunTensor* output) {
  const OrtApi* api = ort_.api;
  const auto check = [&](OrtStatus* status) { return TakeOrtStatus(ort_, status, Code::kRunFailed); };
  if (value == nullptr) return Status(Code::kRunFailed, "the model left an output out");
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  if (Status status = check(api->GetTensorTypeAndShape(value, &raw)); !status.ok()) return status;
  std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> info(
      raw, api->ReleaseTensorTypeAndShapeInfo);
  size_t rank = 0;
  if (Status status = check(api->GetDimensionsCount(raw, &rank)); !status.ok()) return status;
  if (rank > kMaxRank) return Status(Code::kRunFailed, "an output has rank " + std::to_string(rank));
  output->dims.rank = static_cast<int>(rank);
  if (Status status = check(api->GetDimensions(raw, output->dims.at, rank)); !status.ok()) return status;
  if (!ElementCount(output->dims, &output->elements))
    return Status(Code::kRunFailed, "the size of an output overflows");

  if (type != DataType::kBytes) {
    void* bytes = nullptr;
    if (Status status = check(api->GetTensorMutableData(value, &bytes)); !status.ok()) return status;
    output->bytes = static_cast<const uint8_t*>(bytes);
    output->byte_count = static_cast<size_t>(output->elements) * DataTypeBytes(type);
    return Status();
  }
  strings->Clear();
  std::string text;
  for (int64_t i = 0; i < output->elements; ++i) {
    size_t length = 0;
    if (Status status = check(api->GetStringTensorElementLength(value, static_cast<size_t>(i), &length));
        !status.ok()) {
      return status;
    }
    text.resize(length);
    if (length > 0) {
      OrtStatus* got = api->GetStringTensorElement(value, length, static_cast<size_t>(i), text.data());
      if (Status status = check(got); !status.ok()) return status;
    }
    const auto prefix = static_cast<uint32_t>(length);
    strings->Append(&prefix, sizeof(prefix));
    strings->Append(text.data(), length);
  }
  output->bytes = strings->data();
  output->byte_count = strings->size();
  return Status();
}

}  // namespace sluice
