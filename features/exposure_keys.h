// Inside exposure.cc and exposure_query.cc: the keys of exposure.h.
#pragma once

#include <string>
#include <string_view>

#include "features/packing.h"

namespace shanhuo {

inline constexpr std::string_view kHotExposure = "exh";

inline std::string hot_exposure_key(int64_t hour, std::string_view item_id) {
  std::string key(kHotExposure);
  put_key64(&key, hour);
  return key.append(item_id);
}

// Ids hold no control characters, so 0x00 ends one.
inline std::string cold_exposure_key(std::string_view item_id, int64_t hour, uint32_t generation) {
  std::string key = "exi";
  key.append(item_id).push_back('\0');
  put_key64(&key, hour);
  put_key32(&key, generation);
  return key;
}

}  // namespace shanhuo
