// What programs and experiments have in common as JSON: what is wrong with their files, who changed
// them, what stands in them. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "configs/yaml.h"
#include "features/attributes.h"
#include "serving/change_book.h"

namespace shanhuo {

// As "name".
void write_names(JsonWriter& json, std::string_view zh, std::string_view en);
void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts);
// As "errors": of the files as they are on disk now; empty when they are live.
void write_errors(JsonWriter& json, const ConfigErrors& errors);
void write_change(JsonWriter& json, const RecordedChange& change);
// As "history".
void write_changes(JsonWriter& json, const std::vector<RecordedChange>& history);

void write_audit_report(JsonWriter& json, const AuditReport& report);

// What is wrong with this file on disk: then its last good revision is the live one.
std::vector<std::string> refused_of(const std::string& file, const ConfigErrors& errors);
// The file as it reads; null when it is gone, or broken.
Value definition_of(std::string_view text);

}  // namespace shanhuo
