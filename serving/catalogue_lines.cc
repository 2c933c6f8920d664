#include "serving/catalogue_lines.h"

#include <map>
#include <utility>
#include <variant>

#include "base/json_writer.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

void add_line(CatalogueLines& lines, const Item& item) {
  JsonWriter json(lines.items.emplace_back());
  write_item_json(json, item);
}

void add_line(CatalogueLines& lines, const Creator& creator) {
  JsonWriter json(lines.creators.emplace_back());
  write_creator_json(json, creator);
}

void add_line(CatalogueLines& lines, const ItemDeleted& /*deleted*/) { ++lines.deleted; }

void add_line(CatalogueLines& lines, const BlockChange& change) {
  if (change.blocked) {
    lines.blocks.emplace_back(change.kind, change.id);
  } else {
    ++lines.deleted;
  }
}

}  // namespace

Result<CatalogueLines> read_catalogue_lines(EventLog& log, const LogRange& range) {
  CatalogueLines lines;
  for (uint32_t p = 0; p < log.partitions(Topic::kItems); ++p) {
    lines.dropped += static_cast<uint64_t>(log.first_offset(Topic::kItems, p));
  }
  Result<LogRangeReader> reader = LogRangeReader::open(log, Topic::kItems, range);
  if (!reader.ok()) return reader.error();
  std::map<std::string, CatalogueChange> last;  // by the topic's key
  for (;;) {
    const Result<const LogRecord*> record = reader.value().next();
    if (!record.ok()) return record.error();
    if (record.value() == nullptr) break;
    Result<CatalogueChange> change = decode_catalogue_record(*record.value());
    if (!change.ok()) {
      ++lines.undecodable;
      continue;
    }
    std::string key = catalogue_key(change.value());
    last.insert_or_assign(std::move(key), std::move(change).value());
  }
  for (const auto& [key, change] : last) {
    std::visit([&](const auto& what) { add_line(lines, what); }, change);
  }
  return lines;
}

}  // namespace shanhuo
