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
  std::shared_ptr<ShadowLink> link = std::move(links_[number - 1]);
  if (link != nullptr) Leave(link);
  return link;
}

std::vector<std::shared_ptr<ShadowLink>> ShadowLinks::TakeOf(const ModelVersion* version) {
  std::vector<std::shared_ptr<ShadowLink>> taken;
  for (std::shared_ptr<ShadowLink>& link : links_) {
    if (link == nullptr || link->shadow() != version) continue;
    Leave(link);
    taken.push_back(std::move(link));
  }
  return taken;
}

void ShadowLinks::Leave(const std::shared_ptr<ShadowLink>& link) {
  std::erase_if(leaving_, [](const auto& one) { return one->has_ended(); });
  leaving_.push_back(link);
}

bool ShadowLinks::CloseAll(std::chrono::milliseconds patience) {
  bool have_all_ended = true;
  links_.insert(links_.end(), leaving_.begin(), leaving_.end());
  leaving_.clear();
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
