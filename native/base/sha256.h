// Sha256: the hash of bytes that come in pieces (FIPS 180-4). One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice {

class Sha256 {
 public:
  Sha256();
  void Update(const void* bytes, size_t count);
  // Hexadecimal. Once; nothing may be added afterwards.
  std::string Finish();

 private:
  void Block(const uint8_t* block);

  uint32_t state_[8];
  uint64_t count_ = 0;
  uint8_t pending_[64];
};

}  // namespace sluice
