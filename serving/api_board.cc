// GET /v1/programs/{id}/board: a program's items as one group, best first; a challenge's board.
#include <algorithm>

#include "serving/exposure_json.h"
#include "serving/query_params.h"

namespace shanhuo {
namespace {

struct Column {
  std::string_view name;
  int64_t Counts::*count;
};
constexpr Column kColumns[] = {
    {"viewable", &Counts::viewable}, {"clicks", &Counts::clicks},
    {"plays", &Counts::plays},       {"likes", &Counts::likes},
    {"orders", &Counts::orders},     {"amount_fen", &Counts::amount_fen}};
constexpr size_t kRowsMax = 200, kRows = 50;

struct BoardQuery {
  ExposureQuery exposure;
  const Column* by = &kColumns[0];
  uint64_t count = kRows;
};

// By default since the program's start, by viewable exposures.
BoardQuery read_query(const HttpRequest& request, const Program& program, Millis now,
                      std::vector<FieldError>& errors) {
  BoardQuery query;
  query.exposure.by = ExposureBy::kItem;
  query.exposure.to = now + Millis(1);
  query.exposure.from = program.start;
  read_time(request, "from", query.exposure.from, errors);
  read_time(request, "to", query.exposure.to, errors);
  if (const auto by = request.param("by")) {
    query.by = std::ranges::find(kColumns, *by, &Column::name);
    if (query.by == std::end(kColumns)) {
      errors.push_back({"?by", "must be viewable, clicks, plays, likes, orders or amount_fen"});
    }
  }
  read_count(request, "count", query.count, 1, kRowsMax, errors);
  return query;
}

void write_row(JsonWriter& json, size_t rank, const ExposureGroup& group, const CatalogueItem& item,
               bool done) {
  json.begin_object();
  json.field("rank", rank);
  json.field("item_id", group.key);
  json.field("title", item.item.title);
  json.field("creator_id", item.item.creator_id.view());
  json.field("done", done);
  write_numbers(json, group.numbers);
  json.end_object();
}

}  // namespace

void HttpApi::get_board(Call& call) {
  const std::shared_ptr<const World> world = engine_.world();
  const std::optional<ProgramIndex> found = find_program(call, *world);
  if (!found) return;
  const ProgramIndex index = *found;
  std::vector<FieldError> errors;
  BoardQuery query = read_query(call.request, world->program(index), engine_.time().now(), errors);
  if (!errors.empty()) {
    call.respond(problem(422, "", "the query is wrong", errors));
    return;
  }
  const auto items = world->items_of(index);
  query.exposure.items.assign(items.begin(), items.end());
  Result<ExposureReport> report =
      engine_.features().exposure(query.exposure, world->catalogue(), engine_.stored());
  if (!report.ok()) {
    call.respond(problem(report.error()));
    return;
  }
  std::vector<ExposureGroup>& groups = report.value().groups;
  std::ranges::stable_sort(groups, [&](const ExposureGroup& a, const ExposureGroup& b) {
    return a.numbers.counts.*query.by->count > b.numbers.counts.*query.by->count;
  });
  const std::shared_ptr<const Graduates> graduates = engine_.graduates();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("program", call.arguments[0]);
  json.field("by", query.by->name);
  json.key("items");
  json.begin_array();
  for (size_t i = 0; i < std::min(groups.size(), query.count); ++i) {
    const ItemIndex item = engine_.interner().find(groups[i].key);
    if (item == kNoItem || world->item(item) == nullptr) continue;
    const bool done = graduates->contains(*world, index, item);
    write_row(json, i + 1, groups[i], *world->item(item), done);
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
