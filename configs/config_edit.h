// What a configuration file shall say, made from what it says now: the file's whole text, the whole
// definition, or a patch of it. Comments of the file that is there stay where they fit.
//
// Edits are pure functions; configs/config_store.h applies them under its lock.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "configs/yaml.h"
#include "features/attributes.h"

namespace shanhuo {

// From the text that is there; "" when there is no file.
using ConfigEdit = std::function<Result<std::string>(std::string_view text)>;
// Whether a text is a definition; `errors` grows when it is none.
using ConfigCheck = std::function<bool(std::string_view text, ConfigErrors& errors)>;

ConfigEdit whole_file(std::string text);
// Everything that it says. Requires: an object.
ConfigEdit whole_definition(Value definition);
// RFC 7396. kNotFound without a file, kConflict when `reads` refuses what is there.
ConfigEdit definition_patch(Value patch, ConfigCheck reads);

// The same file with `enabled:` set: only that value's bytes change, or one line is added in front
// of the key that follows `id:`. Requires: `text` is a map with an `id`.
std::string with_enabled(std::string_view text, bool enabled);

}  // namespace shanhuo
