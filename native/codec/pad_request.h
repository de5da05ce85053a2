// The padding rules of a model applied to one decoded request: which length its run has, and the mask where
// the client left it out. The tensors themselves stay as they came until they are gathered. Any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/model_spec.h"
#include "base/status.h"
#include "schedule/request.h"

namespace sluice {

// Before the tensors are filled in: what is not there afterwards was left out.
void MarkMasksAbsent(const ModelSpec& spec, Request* request);

// `request` has its rows and its inputs, those with `bytes == nullptr` at `offset` of its tensors; a mask
// that is made here is one of them. Afterwards the inputs of each rule have the dimensions of the run, and
// the shape key is of these.
Status PadRequest(const ModelSpec& spec, Request* request);

// As ShapeKey of v2_plan.h, of a request's inputs.
uint64_t InputShapeKey(const ModelSpec& spec, const std::vector<RequestInput>& inputs);

}  // namespace sluice
