// CRC-32C (Castagnoli), the checksum of log blocks and manifests. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace shanhuo {

// Of `bytes`, continuing `crc` (0 to begin): crc32c(b, crc32c(a)) is that of a followed by b.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace shanhuo
