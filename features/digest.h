// SHA-256, for revisions of files and for stored access tokens. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace shanhuo {

// 64 lower-case hex digits (FIPS 180-4).
std::string sha256_hex(std::string_view bytes);

}  // namespace shanhuo
