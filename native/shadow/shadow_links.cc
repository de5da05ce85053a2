#include "shadow/shadow_links.h"

namespace sluice {

uint32_t ShadowLinks::Add(std::shared_ptr<ShadowLink> link) {
  links_.push_back(std::move(link));
  return static_cast<uint32_t>(links_.size());
}

const std::shared_ptr<ShadowLink>& ShadowLinks::Find(uint32_t number) const {
  static const std::shared_ptr<ShadowLink> kNone;
  return number >= 1 && number <= links_.size() ? links_[number - 1] : kNone;
}

std::shared_ptr<ShadowLink> ShadowLinks::Take(uint32_t number) {
  if (number < 1 || number > links_.size()) return nullptr;
  return std::move(links_[number - 1]);
}

std::vector<std::shared_ptr<ShadowLink>> ShadowLinks::TakeOf(const ModelVersion* version) {
  std::vector<std::shared_ptr<ShadowLink>> taken;
  for (std::shared_ptr<ShadowLink>& link : links_) {
    if (link != nullptr && link->shadow() == version) taken.push_back(std::move(link));
  }
  return taken;
}

bool ShadowLinks::CloseAll(std::chrono::milliseconds patience) {
  bool have_all_ended = true;
  for (std::shared_ptr<ShadowLink>& link : links_) {
    if (link == nullptr) continue;
    if (!link->Close(patience)) {
      have_all_ended = false;
      // One that hangs has used up the patience for all.
      patience = std::chrono::milliseconds(0);
    }
    link.reset();
  }
  return have_all_ended;
}

}  // namespace sluice
