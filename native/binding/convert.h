// JavaScript values to plain structs, once, at the edge. Loop thread. Throws Napi::Error with "expected ...
// for ..., got ...".
#pragma once

#include <napi.h>

#include "engine/engine.h"
#include "run/runner.h"

namespace sluice {

EngineOptions ToEngineOptions(const Napi::Object& object);
SessionOptions ToSessionOptions(const Napi::Object& object);
StartOptions ToStartOptions(const Napi::Object& plan);
Napi::Object FromSignature(Napi::Env env, const ModelSignature& signature);
Napi::Array FromFiles(Napi::Env env, const std::vector<FileFacts>& files);

// An Error whose `number` is the error number of the table.
Napi::Error ToError(Napi::Env env, const Status& status);

}  // namespace sluice
