#include "configs/engine_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "configs/reader.h"

namespace shanhuo {
namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string spell(double number) {
  char buffer[40];
  // Integers without exponent: 8388608, not 8.388608e+06.
  const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
  const auto [end, error] =
      whole ? std::to_chars(buffer, buffer + sizeof buffer, static_cast<int64_t>(number))
            : std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

// Floats are spelled by their own shortest digits: 0.6, not 0.60000002384185791.
std::string spell(float number) {
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

// As YAML's double-quoted style reads it back.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\x";
      out += kDigits[static_cast<size_t>(c) >> 4];
      out += kDigits[static_cast<size_t>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

void read_numbers(MapReader& map, const Option& option, std::span<double> numbers) {
  const YamlNode* list = map.list(option.key);
  if (list == nullptr) return;
  if (list->items.size() != numbers.size()) {
    map.error(option.key, "must have " + std::to_string(numbers.size()) + " numbers");
    return;
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    double number = 0;
    const YamlNode& item = list->items[i];
    if (!item.plain || !parse_json_number(item.text, number) || number < option.min ||
        number > option.max) {
      map.error_at(item, option.key,
                   "must be a number from " + spell(option.min) + " to " + spell(option.max));
    } else {
      numbers[i] = number;
    }
  }
}

// A text with a grammar of its own.
void check_festivals(const EngineOptions& options, const std::string& file, ConfigErrors& errors) {
  if (const auto festivals = read_festivals(options.prices.festivals); !festivals.ok()) {
    errors.push_back({file, 0, 0, "prices.festivals", festivals.error().message});
  }
}

// Bounds that tie two keys together.
void check_whole(const EngineOptions& options, const std::string& file, ConfigErrors& errors) {
  const std::string wrong = wrong_together(options.ranking);
  if (!wrong.empty()) errors.push_back({file, 0, 0, "ranking.retrieve_k", wrong});
}

void read_tree(const YamlNode& root, const std::string& file, EngineOptions& options,
               ConfigErrors& errors) {
  const std::vector<Option> table = option_table(options);
  MapReader top(root, "", file, errors);
  for (size_t begin = 0, end = 0; begin < table.size(); begin = end) {
    while (end < table.size() && table[end].section == table[begin].section) ++end;
    const std::string_view section = table[begin].section;
    if (section.empty()) {
      for (size_t i = begin; i < end; ++i) read_option(top, table[i]);
      continue;
    }
    const YamlNode* node = top.any(section);
    if (node == nullptr) continue;
    MapReader map(*node, std::string(section), file, errors);
    for (size_t i = begin; i < end; ++i) read_option(map, table[i]);
    map.finish();
  }
  top.finish();
  check_whole(options, file, errors);
  check_festivals(options, file, errors);
}

}  // namespace

void read_option(MapReader& map, const Option& option) {
  const auto integer = [&](auto* target) {
    int64_t wide = static_cast<int64_t>(*target);
    map.integer(option.key, wide, static_cast<int64_t>(option.min),
                static_cast<int64_t>(option.max));
    *target = static_cast<std::remove_pointer_t<decltype(target)>>(wide);
  };
  std::visit(
      Overloaded{[&](bool* target) { map.boolean(option.key, *target); },
                 [&](int* target) { integer(target); }, [&](int64_t* target) { integer(target); },
                 [&](size_t* target) { integer(target); },
                 [&](uint32_t* target) { integer(target); },
                 [&](float* target) {
                   double wide = *target;
                   map.number(option.key, wide, option.min, option.max);
                   *target = static_cast<float>(wide);
                 },
                 [&](double* target) { map.number(option.key, *target, option.min, option.max); },
                 [&](std::string* target) {
                   map.text(option.key, *target, static_cast<size_t>(option.max));
                 },
                 [&](Millis* target) {
                   int64_t wide = target->count();
                   map.integer(option.key, wide, static_cast<int64_t>(option.min),
                               static_cast<int64_t>(option.max));
                   *target = Millis(wide);
                 },
                 [&](const Option::Enum& target) {
                   int index = *target.first;
                   map.one_of(option.key, target.second, index);
                   *target.first = static_cast<uint8_t>(index);
                 },
                 [&](std::span<double> target) { read_numbers(map, option, target); }},
      option.target);
}

std::string wrong_together(const RankingOptions& ranking) {
  const int others = ranking.fresh_k + ranking.popular_k + ranking.in_turn_k;
  if (others <= ranking.retrieve_k) return {};
  return "must be at least fresh_k + popular_k + in_turn_k = " + std::to_string(others);
}

std::string Option::name() const {
  return section.empty() ? std::string(key) : std::string(section) + "." + std::string(key);
}

std::string_view Option::type() const {
  return std::visit(
      Overloaded{[](bool*) { return "boolean"; }, [](std::string*) { return "text"; },
                 [](float*) { return "number"; }, [](double*) { return "number"; },
                 [](const Enum&) { return "word"; }, [](std::span<double>) { return "numbers"; },
                 [](auto*) { return "integer"; }},
      target);
}

std::string Option::value() const {
  return std::visit(
      Overloaded{[](bool* target) { return std::string(*target ? "true" : "false"); },
                 [](std::string* target) { return quoted(*target); },
                 [](Millis* target) { return std::to_string(target->count()); },
                 [](float* target) { return spell(*target); },
                 [](double* target) { return spell(*target); },
                 [](const Enum& target) { return std::string(target.second[*target.first]); },
                 [](std::span<double> target) {
                   std::string out = "[";
                   for (const double number : target) {
                     out += (out.size() > 1 ? ", " : "") + spell(number);
                   }
                   return out + "]";
                 },
                 [](auto* target) { return std::to_string(*target); }},
      target);
}

void read_engine_options(std::string_view text, const std::string& file, EngineOptions& options,
                         ConfigErrors& errors) {
  YamlNode root;
  if (parse_yaml(text, file, root, errors)) read_tree(root, file, options, errors);
}

void set_engine_option(std::string_view assignment, EngineOptions& options, ConfigErrors& errors) {
  const std::string source = "--set";  // outlives the reader below
  const size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  if (equals == std::string_view::npos) {
    errors.push_back({source, 0, 0, std::string(name), "must be key=value"});
    return;
  }
  for (const Option& option : option_table(options)) {
    if (option.name() != name) continue;
    // The value is read as the file would read it, in a document of its own.
    YamlNode value;
    const std::string text(assignment.substr(equals + 1));
    if (!parse_yaml(text, source, value, errors)) return;
    YamlNode map;
    map.kind = YamlNode::Kind::kMap;
    map.members.push_back({std::string(option.key), 0, 0, std::move(value)});
    map.members.back().value.line = 0;
    MapReader reader(map, std::string(option.section), source, errors);
    read_option(reader, option);
    check_festivals(options, source, errors);
    return;
  }
  errors.push_back({source, 0, 0, std::string(name), "unknown key; see engine.yaml"});
}

std::string default_engine_yaml() {
  EngineOptions options;
  std::string out =
      "# engine.yaml: every key at its default. Remove a '#' to change one (and the section's, "
      "when the key stands in\n"
      "# one). `shanhuo check --config FILE` says what is wrong, where, and what is allowed.\n";
  std::string_view section;
  for (const Option& option : option_table(options)) {
    if (option.section != section) {
      section = option.section;
      out += "\n# " + std::string(section) + ":\n";
    }
    const std::string indent = section.empty() ? "" : "  ";
    out += "#" + indent + " -- " + std::string(option.about);
    if (!option.unit.empty()) out += " [" + std::string(option.unit) + "]";
    out += "\n# " + indent + std::string(option.key) + ": " + option.value() + "\n";
  }
  return out;
}

}  // namespace shanhuo
