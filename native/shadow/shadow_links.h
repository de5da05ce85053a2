// ShadowLinks: the links that one event loop has opened, by number. Numbers are never used again. Loop thread
// only; what is taken out is closed elsewhere, because closing waits for a run.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "shadow/shadow_link.h"

namespace sluice {

class ShadowLinks {
 public:
  // Numbers begin at 1. May throw; the link is then closed.
  uint32_t Add(std::shared_ptr<ShadowLink> link);
  // Null for a number that is not open.
  const std::shared_ptr<ShadowLink>& Find(uint32_t number) const;
  std::shared_ptr<ShadowLink> Take(uint32_t number);
  // Those whose shadow is `version`, also what was taken out: it cannot be closed before them. May throw,
  // as if it had not been called.
  std::vector<std::shared_ptr<ShadowLink>> TakeOf(const ModelVersion* version);
  // Closes all, also what was taken out; false when a run did not end in time.
  bool CloseAll(std::chrono::milliseconds patience);

 private:
  void Leave(std::shared_ptr<ShadowLink> link);

  std::vector<std::shared_ptr<ShadowLink>> links_;    // number 1 first
  std::vector<std::shared_ptr<ShadowLink>> leaving_;  // taken out; their threads may still be inside a run
};

}  // namespace sluice
