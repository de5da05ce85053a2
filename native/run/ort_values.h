// OrtValues: the owner of the values of one side of a run. A value is made in the place that it is owned
// from, so that none is lost whichever way a function is left.
#pragma once

#include <vector>

#include "run/ort_api.h"

namespace sluice {

class OrtValues {
 public:
  explicit OrtValues(const Ort& ort) : ort_(ort) {}
  ~OrtValues() { Clear(); }
  OrtValues(const OrtValues&) = delete;
  OrtValues& operator=(const OrtValues&) = delete;

  // The place of one more; empty until a value is written to it.
  OrtValue** Add() {
    values_.push_back(nullptr);
    return &values_.back();
  }
  // `count` empty places and nothing else.
  void Reset(size_t count) {
    Clear();
    values_.resize(count);
  }
  void Clear() {
    for (OrtValue* value : values_) {
      if (value != nullptr) ort_.api->ReleaseValue(value);
    }
    values_.clear();
  }

  bool empty() const { return values_.empty(); }
  size_t size() const { return values_.size(); }
  OrtValue* operator[](size_t i) const { return values_[i]; }
  const OrtValue* const* data() const { return values_.data(); }
  OrtValue** data() { return values_.data(); }

 private:
  const Ort& ort_;
  std::vector<OrtValue*> values_;
};

}  // namespace sluice
