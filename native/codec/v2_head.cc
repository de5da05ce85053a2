#include "codec/v2_head.h"

#include <algorithm>
#include <string>

#include "codec/json_read.h"
#include "codec/json_text.h"
#include "codec/tensor_check.h"
#include "schedule/request.h"

namespace sluice {

namespace {

using simdjson::error_code;
using simdjson::ondemand::array;

constexpr size_t kLongestId = 4096;
constexpr uint64_t kLongestTimeoutUs = 1'000'000'000'000;

}  // namespace

uint64_t ShapeKey(const ModelSpec& spec, const V2Plan& plan) {
  bool varies = false;
  uint64_t key = kFirstShapeKey;
  for (const PlannedInput& input : plan.inputs) {
    const TensorSpec& tensor = spec.inputs[input.index];
    if (tensor.row_elements >= 0) continue;
    varies = true;
    key = NextShapeKey(key, input.index, input.dims);
  }
  if (!varies) return 0;
  return key == 0 ? 1 : key;
}

Status V2Head::Parse(const ModelSpec& spec, const char* json, size_t length, V2Plan* plan,
                     AlignedBuffer* tensors) {
  spec_ = &spec;
  plan_ = plan;
  tensors_ = tensors;
  json_length_ = length;
  seen_inputs_ = 0;
  listed_outputs_ = 0;
  outputs_with_form_ = 0;
  wants_binary_by_default_ = false;
  plan->Clear();
  tensors->Clear();

  simdjson::ondemand::document document;
  if (const error_code error = Iterate(&parser_, json, length, &document)) {
    if (error == simdjson::EMPTY) return Expected("a V2 infer request in JSON", "the body, got nothing");
    return BadJson(error);
  }
  Object top;
  if (const error_code error = document.get_object().get(top))
    return TypeOrSyntax(error, "a JSON object", "the request");
  if (Status status = ParseTop(top); !status.ok()) return status;
  if (document.current_location().error() == simdjson::SUCCESS)
    return Expected("nothing", "the bytes behind the JSON object");
  return Finish();
}

Status V2Head::ParseTop(Object top) {
  bool has_id = false, has_parameters = false, has_inputs = false, has_outputs = false;
  // The first of two equal keys counts; null is the same as absent for what is optional.
  const auto is_first = [](bool* seen) { return *seen ? false : (*seen = true); };
  Status status = ForEachMember(top, [&](std::string_view key, Value value) -> Status {
    if (key == "inputs" && is_first(&has_inputs)) return ParseInputs(value);
    if (key == "outputs" && is_first(&has_outputs)) return IsNull(value) ? Status() : ParseOutputs(value);
    if (key == "id" && is_first(&has_id)) return IsNull(value) ? Status() : ParseId(value);
    if (key == "parameters" && is_first(&has_parameters))
      return IsNull(value) ? Status() : ParseRequestParameters(value);
    return Status();
  });
  if (!status.ok()) return status;
  if (!has_inputs) return Expected("an array", "\"inputs\" of the request, got nothing");
  return Status();
}

Status V2Head::ParseId(Value value) {
  std::string_view id;
  if (const error_code error = value.get_string().get(id)) return TypeOrSyntax(error, "a string", "\"id\"");
  if (id.size() > kLongestId) {
    return Expected(("at most " + std::to_string(kLongestId) + " bytes").c_str(),
                    "\"id\", got " + std::to_string(id.size()));
  }
  if (!id.empty()) plan_->id_json = JsonString(id);
  return Status();
}

Status V2Head::ParseRequestParameters(Value value) {
  Object object;
  if (const error_code error = value.get_object().get(object)) {
    return TypeOrSyntax(error, "an object", "\"parameters\" of the request");
  }
  return ForEachMember(object, [&](std::string_view key, Value member) -> Status {
    if (key == "binary_data_output") {
      if (const error_code error = member.get_bool().get(wants_binary_by_default_)) {
        return TypeOrSyntax(error, "true or false", "\"binary_data_output\"");
      }
      return Status();
    }
    if (key == "priority" || key == "timeout") {
      uint64_t number;
      if (const error_code error = member.get_uint64().get(number)) {
        return TypeOrSyntax(error, "an unsigned integer", "parameter " + Quoted(key) + " of the request");
      }
      if (key == "priority") {
        plan_->priority = static_cast<uint8_t>(std::min<uint64_t>(number, kLowestPriority));
      } else {
        plan_->queue_timeout_ns = static_cast<int64_t>(std::min(number, kLongestTimeoutUs)) * 1000;
      }
      return Status();
    }
    const char first = member.raw_json_token()[0];
    if (first == '{' || first == '[') {
      return Expected("a string, number or boolean", "parameter " + Quoted(key) + " of the request");
    }
    return Status();
  });
}

Status V2Head::ParseOutputs(Value value) {
  array entries;
  if (const error_code error = value.get_array().get(entries))
    return TypeOrSyntax(error, "an array", "\"outputs\"");
  for (auto entry : entries) {
    Object object;
    if (const error_code error = entry.get_object().get(object)) {
      return TypeOrSyntax(error, "an object", "each entry of \"outputs\"");
    }
    int index = -1;
    bool says_form = false, is_binary = false;
    Status status = ForEachMember(object, [&](std::string_view key, Value member) -> Status {
      if (key == "name" && index < 0) {
        std::string_view name;
        if (const error_code error = member.get_string().get(name)) {
          return TypeOrSyntax(error, "a string", "\"name\" of an output");
        }
        index = IndexOf(spec_->outputs, name);
        if (index >= 0) return Status();
        return NoSuchTensor(*spec_, "output", spec_->outputs, name);
      }
      if (key != "parameters" || IsNull(member)) return Status();
      Object parameters;
      if (const error_code error = member.get_object().get(parameters)) {
        return TypeOrSyntax(error, "an object", "\"parameters\" of an output");
      }
      return ForEachMember(parameters, [&](std::string_view name, Value parameter) -> Status {
        if (name == "classification" || name == "shared_memory_region") {
          return Status(Code::kBadRequest, "output parameter \"" + std::string(name) + "\" is not offered");
        }
        if (name != "binary_data") return Status();
        says_form = true;
        if (const error_code error = parameter.get_bool().get(is_binary)) {
          return TypeOrSyntax(error, "true or false", "\"binary_data\" of an output");
        }
        return Status();
      });
    });
    if (!status.ok()) return status;
    if (index < 0) return Expected("a name", "each entry of \"outputs\"");
    const uint64_t bit = uint64_t{1} << index;
    if ((listed_outputs_ & bit) != 0) {
      return Status(Code::kBadRequest,
                    "output \"" + spec_->outputs[static_cast<size_t>(index)].name + "\" is listed twice");
    }
    listed_outputs_ |= bit;
    if (says_form) outputs_with_form_ |= bit;
    if (is_binary) plan_->binary_outputs |= bit;
  }
  return Status();
}

Status V2Head::Finish() {
  if (Status status = CheckWhole(*spec_, seen_inputs_, *plan_); !status.ok()) return status;
  const size_t output_count = spec_->outputs.size();
  plan_->wanted_outputs = listed_outputs_ == 0 ? AllBits(output_count) : listed_outputs_;
  if (wants_binary_by_default_) plan_->binary_outputs |= plan_->wanted_outputs & ~outputs_with_form_;
  for (size_t i = 0; i < output_count; ++i) {
    const uint64_t bit = uint64_t{1} << i;
    const DataType type = spec_->outputs[i].type;
    if ((plan_->wanted_outputs & ~plan_->binary_outputs & bit) != 0 &&
        (type == DataType::kFp16 || type == DataType::kBf16)) {
      return Status(Code::kTypeMismatch, std::string(DataTypeName(type)) +
                                             " has no JSON form: ask for output \"" + spec_->outputs[i].name +
                                             "\" with \"binary_data\": true");
    }
  }
  plan_->shape_key = ShapeKey(*spec_, *plan_);
  return Status();
}

}  // namespace sluice
