// Gowalla check-ins in the split that LightGCN published: "user item item ...", without times.
#include <filesystem>
#include <set>

#include "serving/import.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

constexpr Millis kStart{1'262'304'000'000};  // 2010-01-01T00:00:00Z

struct CheckIns {
  ImportSink& sink;
  std::set<std::string, std::less<>> places{};  // written as items
  Millis next = kStart;

  void add_place(std::string_view id) {
    if (!places.emplace(id).second) return;
    Item item;
    item.id = ItemId(id);
    item.kind = ItemKind::kScenicVideo;
    item.title = "Gowalla place " + item.id.str();
    item.creator_id = CreatorId(std::string_view("gowalla"));
    sink.item(item);
  }

  // What is wrong with the row; empty when it was taken. A user without check-ins gives nothing.
  std::string_view add_row(const TableReader& row) {
    for (size_t i = 0; i < row.fields(); ++i) {
      if (!parse_integer(row.field(i)) && !row.field(i).empty()) return "an id is no number";
    }
    for (size_t i = 1; i < row.fields(); ++i) {
      if (row.field(i).empty()) continue;  // a blank at the end
      add_place(row.field(i));
      Interaction event;
      event.type = EventType::kClick;
      event.user_id = row.field(0);
      event.item_id = row.field(i);
      event.ts = next;
      next += kSecond;
      sink.event(event);
    }
    return {};
  }
};

}  // namespace

Status import_gowalla(const std::string& path, ImportSink& sink) {
  CheckIns check_ins{sink};
  for (const char* name : {"train.txt", "test.txt"}) {
    const fs::path file = fs::path(path) / name;
    if (name == std::string_view("test.txt") && !fs::exists(file)) continue;
    const Status read =
        read_rows(file.string(), {.separator = ' ', .header = false, .quotes = false}, {}, sink,
                  [&](const TableReader& row) { return check_ins.add_row(row); });
    if (!read.ok()) return read;
  }
  return {};
}

}  // namespace shanhuo
