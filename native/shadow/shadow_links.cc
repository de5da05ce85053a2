#include "shadow/shadow_links.h"

#include <utility>

namespace sluice {

uint32_t ShadowLinks::Add(std::shared_ptr<ShadowLink> link) {
  try {
    // Room for it, too, when it is taken out.
    leaving_.reserve(links_.size() + 1);
    links_.push_back(link);
  } catch (...) {
    link->Close(std::chrono::milliseconds(0));
    throw;
  }
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
  taken.reserve(links_.size() + leaving_.size());
  for (std::shared_ptr<ShadowLink>& link : links_) {
    if (link != nullptr && link->shadow() == version) Leave(std::exchange(link, nullptr));
  }
  for (const std::shared_ptr<ShadowLink>& link : leaving_) {
    if (link->shadow() == version) taken.push_back(link);
  }
  return taken;
}

void ShadowLinks::Leave(std::shared_ptr<ShadowLink> link) {
  std::erase_if(leaving_, [](const auto& one) { return one->has_ended(); });
  leaving_.push_back(std::move(link));
}

bool ShadowLinks::CloseAll(std::chrono::milliseconds patience) {
  bool have_all_ended = true;
  for (auto* links : {&links_, &leaving_}) {
    for (std::shared_ptr<ShadowLink>& link : *links) {
      if (link == nullptr) continue;
      if (!link->Close(patience)) {
        have_all_ended = false;
        // One that hangs has used up the patience for all.
        patience = std::chrono::milliseconds(0);
      }
      link.reset();
    }
  }
  leaving_.clear();
  return have_all_ended;
}

}  // namespace sluice
