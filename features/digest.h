// SHA-256, for revisions of files and for stored access tokens; and what such tokens need.
// Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace shanhuo {

// 64 lower-case hex digits (FIPS 180-4).
std::string sha256_hex(std::string_view bytes);

// Whether both are equal; the time taken tells nothing but their lengths.
bool equal_secrets(std::string_view a, std::string_view b);

// `bytes` of the system's random device in URL-safe base64 without padding.
std::string random_token(size_t bytes);

}  // namespace shanhuo
