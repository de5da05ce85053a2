// The "inputs" of a V2 request: the part of V2Head that meets tensors. Same thread, same object as
// v2_head.cc.
#include <string>

#include "codec/json_read.h"
#include "codec/json_tensor.h"
#include "codec/tensor_check.h"
#include "codec/v2_head.h"

namespace sluice {

namespace {
using simdjson::error_code;
using simdjson::ondemand::array;
}  // namespace

// One entry of "inputs" while its members are read, in whatever order they come.
struct V2Head::InputDraft {
  std::string where = "an entry of \"inputs\"";
  int index = -1;
  bool has_shape = false;
  bool has_type = false;
  bool has_tensor = false;
  bool is_binary = false;
  bool is_resolved = false;
  DataType type = DataType::kInvalid;
  Dims wire;
  std::string_view late_tensor;  // raw JSON of a "data" that came before the shape was known
  PlannedInput planned;

  bool is_known() const { return index >= 0 && has_shape && has_type; }
};

Status V2Head::ParseInputs(Value value) {
  array entries;
  if (const error_code error = value.get_array().get(entries))
    return TypeOrSyntax(error, "an array", "\"inputs\"");
  for (auto entry : entries) {
    Object object;
    if (const error_code error = entry.get_object().get(object)) {
      return TypeOrSyntax(error, "an object", "each entry of \"inputs\"");
    }
    if (Status status = ParseInput(object); !status.ok()) return status;
  }
  return Status();
}

Status V2Head::ParseInput(Object object) {
  InputDraft draft;
  Status status = ForEachMember(object, [&](std::string_view key, Value value) -> Status {
    if (key == "name" && draft.index < 0) {
      std::string_view name;
      if (const error_code error = value.get_string().get(name))
        return TypeOrSyntax(error, "a string", "\"name\" of an input");
      draft.index = IndexOf(spec_->inputs, name);
      if (draft.index < 0) return NoSuchTensor(*spec_, "input", spec_->inputs, name);
      draft.where = InputName(spec_->inputs[static_cast<size_t>(draft.index)].name);
      return Status();
    }
    if (key == "shape" && !draft.has_shape) return ParseShape(value, &draft);
    if (key == "datatype" && !draft.has_type) {
      std::string_view name;
      if (const error_code error = value.get_string().get(name)) {
        return TypeOrSyntax(error, "a string", "\"datatype\" of " + draft.where);
      }
      draft.type = DataTypeFromName(name);
      draft.has_type = true;
      if (draft.type != DataType::kInvalid) return Status();
      return Status(Code::kTypeMismatch,
                    "expected a V2 datatype for " + draft.where + ", got " + Quoted(name));
    }
    if (key == "parameters") return IsNull(value) ? Status() : ParseInputParameters(value, &draft);
    if (key == "data" && !draft.has_tensor) {
      draft.has_tensor = true;
      array elements;
      if (const error_code error = value.get_array().get(elements)) {
        return TypeOrSyntax(error, "an array", "\"data\" of " + draft.where);
      }
      if (draft.is_known()) return ParseTensor(elements, &draft);
      if (const error_code error = elements.raw_json().get(draft.late_tensor)) return BadJson(error);
    }
    return Status();
  });
  if (!status.ok()) return status;

  if (draft.index < 0) return Expected("a name", draft.where);
  if (!draft.has_shape) return Expected("a shape", draft.where);
  if (!draft.has_type) return Expected("a datatype", draft.where);
  if (draft.has_tensor == draft.is_binary) {
    return Expected("exactly one of \"data\" and \"binary_data_size\"", draft.where);
  }
  if (draft.late_tensor.data() != nullptr) {
    simdjson::ondemand::document late;
    array elements;
    const std::string_view json = draft.late_tensor;
    error_code error = Iterate(&late_parser_, json.data(), json.size(), &late);
    if (!error) error = late.get_array().get(elements);
    if (error) return BadJson(error);
    if (status = ParseTensor(elements, &draft); !status.ok()) return status;
  }
  if (status = ResolveInput(&draft); !status.ok()) return status;
  plan_->inputs.push_back(draft.planned);
  return Status();
}

Status V2Head::ParseInputParameters(Value value, InputDraft* draft) {
  Object object;
  if (const error_code error = value.get_object().get(object)) {
    return TypeOrSyntax(error, "an object", "\"parameters\" of " + draft->where);
  }
  return ForEachMember(object, [&](std::string_view key, Value member) -> Status {
    if (key == "shared_memory_region") {
      return Status(Code::kBadRequest,
                    "shared memory is not offered: send " + draft->where + " as \"data\" or binary data");
    }
    if (key != "binary_data_size" || draft->is_binary) return Status();
    uint64_t byte_count;
    if (const error_code error = member.get_uint64().get(byte_count)) {
      return TypeOrSyntax(error, "an unsigned integer", "\"binary_data_size\" of " + draft->where);
    }
    draft->is_binary = true;
    draft->planned.byte_count = byte_count;
    return Status();
  });
}

Status V2Head::ParseShape(Value value, InputDraft* draft) {
  draft->has_shape = true;
  array dims;
  if (const error_code error = value.get_array().get(dims)) {
    return TypeOrSyntax(error, "an array", "\"shape\" of " + draft->where);
  }
  for (auto item : dims) {
    uint64_t dim;
    if (const error_code error = item.get_uint64().get(dim)) {
      return TypeOrSyntax(error, "integers >= 0", "\"shape\" of " + draft->where);
    }
    if (dim > INT64_MAX || !draft->wire.Push(static_cast<int64_t>(dim))) {
      return Status(Code::kShapeMismatch, "expected at most " + std::to_string(kMaxRank) +
                                              " dimensions below 2^63 for the shape of " + draft->where);
    }
  }
  return Status();
}

Status V2Head::ResolveInput(InputDraft* draft) {
  if (draft->is_resolved) return Status();
  draft->is_resolved = true;
  const TensorSpec& tensor = spec_->inputs[static_cast<size_t>(draft->index)];
  PlannedInput* planned = &draft->planned;
  if (Status status = CheckInput(*spec_, static_cast<size_t>(draft->index), draft->type, draft->wire,
                                 &seen_inputs_, plan_, planned);
      !status.ok()) {
    return status;
  }
  planned->is_binary = draft->is_binary;
  if (draft->is_binary && tensor.type != DataType::kBytes) {
    const uint64_t expected = static_cast<uint64_t>(planned->elements) * DataTypeBytes(tensor.type);
    if (planned->byte_count != expected) {
      return Status(Code::kShapeMismatch, "expected " + std::to_string(expected) + " bytes for " +
                                              draft->where + " of shape " + DimsText(draft->wire) +
                                              ", got binary_data_size " +
                                              std::to_string(planned->byte_count));
    }
  }
  return Status();
}

Status V2Head::ParseTensor(array elements, InputDraft* draft) {
  if (Status status = ResolveInput(draft); !status.ok()) return status;
  const TensorSpec& tensor = spec_->inputs[static_cast<size_t>(draft->index)];
  PlannedInput* planned = &draft->planned;
  // Every element takes at least one character and a comma, so a shape that claims more lies, and gets no
  // memory.
  if (static_cast<uint64_t>(planned->elements) > json_length_) {
    return Status(Code::kShapeMismatch, "expected " + std::to_string(planned->elements) + " elements for " +
                                            draft->where + ", the body cannot hold as many");
  }
  plan_->has_json_tensor = true;
  tensors_->Resize(AlignUp(tensors_->size()));
  planned->offset = tensors_->size();
  if (Status status = ReadJsonTensor(elements, tensor, planned->elements, tensors_); !status.ok())
    return status;
  planned->byte_count = tensors_->size() - planned->offset;
  return Status();
}

}  // namespace sluice
