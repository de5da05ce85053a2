#include "binding/padding_rules.h"

#include <cstring>
#include <string>

#include "codec/names.h"

namespace sluice {

namespace {

// A float's upper half, or its half: exact for the small whole numbers that a configuration may name.
uint16_t NarrowBits(DataType type, float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if (type == DataType::kBf16 || value == 0) return static_cast<uint16_t>(bits >> 16);
  const uint32_t exponent = (bits >> 23 & 0xff) - 127 + 15;
  return static_cast<uint16_t>((bits >> 16 & 0x8000) | exponent << 10 | (bits >> 13 & 0x3ff));
}

std::array<uint8_t, 8> ElementOf(DataType type, double value) {
  std::array<uint8_t, 8> element{};
  const auto put = [&element](auto number) { std::memcpy(element.data(), &number, sizeof(number)); };
  switch (type) {
    case DataType::kFp16:
    case DataType::kBf16:
      put(NarrowBits(type, static_cast<float>(value)));
      break;
    case DataType::kFp32:
      put(static_cast<float>(value));
      break;
    case DataType::kFp64:
      put(value);
      break;
    default:
      // The low bytes of every width; the machine has them first.
      put(static_cast<int64_t>(value));
  }
  return element;
}

size_t Position(const Napi::Object& object, const std::vector<TensorSpec>& tensors) {
  const std::string name = object.Get("name").ToString().Utf8Value();
  const int index = IndexOf(tensors, name);
  if (index >= 0) return static_cast<size_t>(index);
  throw Napi::Error::New(object.Env(), "expected a tensor of the model in a padding rule, got " + name);
}

int DimOf(const Napi::Value& value, const TensorSpec& tensor) {
  const int64_t dim = value.ToNumber().Int64Value();
  const bool is_there = dim >= 0 && dim < static_cast<int64_t>(tensor.model_dims.size());
  if (is_there && tensor.model_dims[static_cast<size_t>(dim)] < 0) return static_cast<int>(dim);
  throw Napi::Error::New(value.Env(), "expected a dimension that varies for a padding rule of " +
                                          tensor.name + ", got " + std::to_string(dim));
}

void AddInput(const Napi::Object& object, double value, int number, ModelSpec* spec, PaddingRule* rule) {
  const size_t index = Position(object, spec->inputs);
  TensorSpec& tensor = spec->inputs[index];
  if (tensor.pad_rule != kNoRule || tensor.type == DataType::kBytes)
    throw Napi::Error::New(object.Env(), "expected numbers and one padding rule for input " + tensor.name);
  tensor.pad_dim = DimOf(object.Get("dim"), tensor);
  tensor.pad_rule = number;
  tensor.pad_element = ElementOf(tensor.type, value);
  rule->inputs.push_back(index);
}

void AddOutput(const Napi::Object& object, int number, ModelSpec* spec) {
  TensorSpec& tensor = spec->outputs[Position(object, spec->outputs)];
  const auto dims = object.Get("dims").As<Napi::Array>();
  if (tensor.follows.empty()) tensor.follows.assign(tensor.model_dims.size(), kNoRule);
  for (uint32_t i = 0; i < dims.Length(); ++i)
    tensor.follows[static_cast<size_t>(DimOf(dims.Get(i), tensor))] = number;
}

}  // namespace

void ReadPadding(const Napi::Object& plan, ModelSpec* spec) {
  const Napi::Value given = plan.Get("padding");
  if (!given.IsArray()) return;
  const auto rules = given.As<Napi::Array>();
  for (uint32_t r = 0; r < rules.Length(); ++r) {
    const auto from = rules.Get(r).As<Napi::Object>();
    const int number = static_cast<int>(r);
    PaddingRule rule;
    const auto inputs = from.Get("inputs").As<Napi::Array>();
    for (uint32_t i = 0; i < inputs.Length(); ++i) {
      const auto input = inputs.Get(i).As<Napi::Object>();
      AddInput(input, input.Get("value").ToNumber().DoubleValue(), number, spec, &rule);
    }
    const auto lengths = from.Get("lengths").As<Napi::Array>();
    for (uint32_t i = 0; i < lengths.Length(); ++i)
      rule.lengths.push_back(lengths.Get(i).ToNumber().Int64Value());
    if (rule.inputs.empty() || rule.lengths.empty())
      throw Napi::Error::New(plan.Env(), "expected inputs and lengths in a padding rule");
    if (const Napi::Value mask = from.Get("mask"); mask.IsObject()) {
      AddInput(mask.As<Napi::Object>(), 0, number, spec, &rule);
      rule.mask = rule.inputs.back();
      spec->optional_inputs |= uint64_t{1} << rule.mask;
    }
    const auto outputs = from.Get("outputs").As<Napi::Array>();
    for (uint32_t i = 0; i < outputs.Length(); ++i)
      AddOutput(outputs.Get(i).As<Napi::Object>(), number, spec);
    spec->padding.push_back(std::move(rule));
  }
}

}  // namespace sluice
