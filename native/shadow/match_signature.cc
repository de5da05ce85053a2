#include "shadow/match_signature.h"

namespace sluice {

namespace {

size_t Find(const std::vector<TensorSpec>& tensors, const std::string& name) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return i;
  }
  return SignatureMatch::kNone;
}

std::string ShapeText(const TensorSpec& tensor) {
  return std::string(DataTypeName(tensor.type)) + " " +
         DimsText(tensor.model_dims.data(), static_cast<int>(tensor.model_dims.size()));
}

// Whether some request may fit both; a dimension that varies in one of them is looked at request by request.
bool MayFit(const TensorSpec& a, const TensorSpec& b) {
  if (a.type != b.type || a.model_dims.size() != b.model_dims.size()) return false;
  for (size_t i = 0; i < a.model_dims.size(); ++i) {
    if (a.model_dims[i] >= 0 && b.model_dims[i] >= 0 && a.model_dims[i] != b.model_dims[i]) return false;
  }
  return true;
}

}  // namespace

Status MatchSignatures(const ModelSpec& primary, const ModelSpec& shadow, SignatureMatch* match) {
  if (primary.has_batch_dim() != shadow.has_batch_dim()) {
    return Status(Code::kShapeMismatch,
                  "expected a shadow that batches as " + primary.display + " does, " + shadow.display +
                      (shadow.has_batch_dim() ? " has a batch dimension and the other has none"
                                              : " has no batch dimension"));
  }
  match->input_of.clear();
  match->output_of.clear();
  for (const TensorSpec& input : shadow.inputs) {
    const size_t at = Find(primary.inputs, input.name);
    if (at == SignatureMatch::kNone) {
      return Status(Code::kUnknownTensor, "expected a shadow that takes the requests of " + primary.display +
                                              ", " + shadow.display + " wants an input \"" + input.name +
                                              "\" that they do not have");
    }
    if (!MayFit(primary.inputs[at], input)) {
      return Status(Code::kShapeMismatch, "expected " + ShapeText(primary.inputs[at]) + " for input \"" +
                                              input.name + "\" of a shadow of " + primary.display + ", " +
                                              shadow.display + " takes " + ShapeText(input));
    }
    match->input_of.push_back(at);
  }
  for (const TensorSpec& output : primary.outputs)
    match->output_of.push_back(Find(shadow.outputs, output.name));
  return Status();
}

bool FitsInputs(const ModelSpec& shadow, const std::vector<RequestInput>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<int64_t>& wanted = shadow.inputs[i].model_dims;
    if (static_cast<size_t>(inputs[i].dims.rank) != wanted.size()) return false;
    for (size_t d = 0; d < wanted.size(); ++d) {
      if (wanted[d] >= 0 && inputs[i].dims.at[d] != wanted[d]) return false;
    }
  }
  return true;
}

}  // namespace sluice
