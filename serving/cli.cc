#include "serving/cli.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/check.h"
#include "configs/reader.h"

namespace shanhuo {
namespace {

using Kind = FlagSpec::Kind;

constexpr FlagSpec kCommonFlags[] = {
    {"config", Kind::kText, "FILE", "engine configuration; its folder holds programs/",
     "configs/engine.yaml"},
    {"data-dir", Kind::kText, "DIR", "where the engine keeps its log and state"},
    {"listen", Kind::kText, "HOST:PORT", "where the engine listens"},
    {"set", Kind::kText, "KEY=VALUE", "overrides one key of the configuration; may be repeated"},
    {"to", Kind::kText, "URL", "the running engine (also --url)", "http://127.0.0.1:8080"},
    {"token", Kind::kText, "TOKEN", "access token (also the variable SHANHUO_TOKEN)"},
    {"json", Kind::kSwitch, "", "print JSON instead of text"},
    {"help", Kind::kSwitch, "", "print this"},
};

const FlagSpec* find_flag(std::span<const FlagSpec> specs, std::string_view name) {
  const auto found = std::ranges::find(specs, name, &FlagSpec::name);
  return found == specs.end() ? nullptr : &*found;
}

// Whole decimal numbers only: no blanks, no hexadecimal, no inf or nan.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string format_bound(double bound) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, bound, std::chars_format::fixed).ptr;
  return {text, end};
}

Error wrong_value(const FlagSpec& spec, std::string_view value, std::string_view allowed) {
  return {ErrorCode::kInvalid, "--" + std::string(spec.name) + ": '" + std::string(value) +
                                   "' is not " + std::string(allowed)};
}

template <typename T>
Status check_range(const FlagSpec& spec, std::string_view value, std::string_view what) {
  const std::optional<T> number = parse_number<T>(value);
  const bool bounded = spec.least < spec.most;
  const bool fits = number && std::isfinite(static_cast<double>(*number)) &&
                    (!bounded || (static_cast<double>(*number) >= spec.least &&
                                  static_cast<double>(*number) <= spec.most));
  if (fits) return {};
  std::string allowed(what);
  if (bounded) {
    allowed += " from " + format_bound(spec.least) + " to " + format_bound(spec.most);
  }
  return wrong_value(spec, value, allowed);
}

Status check_value(const FlagSpec& spec, std::string_view value) {
  switch (spec.kind) {
    case Kind::kSwitch:
      return {};
    case Kind::kText:
      if (value.empty()) return wrong_value(spec, value, "a value: it is empty");
      return {};
    case Kind::kInteger:
      return check_range<int64_t>(spec, value, "a whole number");
    case Kind::kNumber:
      return check_range<double>(spec, value, "a number");
    case Kind::kDuration:
      if (parse_duration(value).ok()) return {};
      return wrong_value(spec, value, "a duration such as 90s, 15m, 24h or 7d");
    case Kind::kTime:
      if (parse_rfc3339(value)) return {};
      return wrong_value(spec, value, "a time such as 2026-11-11T00:00:00+08:00");
  }
  return {};
}

void append_flag(std::string& out, const FlagSpec& spec) {
  std::string left = "  --" + std::string(spec.name);
  if (!spec.value_name.empty()) left += " " + std::string(spec.value_name);
  left.resize(std::max<size_t>(left.size() + 2, 28), ' ');
  out += left + std::string(spec.help);
  if (!spec.fallback.empty()) out += " (" + std::string(spec.fallback) + ")";
  out += '\n';
}

std::string allowed_flags(const Verb& verb) {
  std::string out;
  const auto add = [&](std::span<const FlagSpec> specs) {
    for (const FlagSpec& spec : specs) {
      out += (out.empty() ? "--" : ", --") + std::string(spec.name);
    }
  };
  add(verb.flags);
  add(kCommonFlags);
  return out;
}

}  // namespace

// Reads one command line into a CliArguments; first error wins.
class ArgumentParser {
 public:
  explicit ArgumentParser(const Verb& verb) : verb_(verb) {
    parsed_.verb = verb.name;
    parsed_.specs_ = verb.flags;
  }

  Status read(std::span<const std::string_view> arguments) {
    bool flags_end = false;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string_view argument = arguments[i];
      if (!flags_end && argument == "--") {
        flags_end = true;
      } else if (!flags_end && argument.size() > 2 && argument.starts_with("--")) {
        const Status read = read_flag(arguments, i);
        if (!read.ok()) return read;
      } else if (!flags_end && argument.size() > 1 && argument[0] == '-') {
        return Error{ErrorCode::kInvalid, "unknown flag " + std::string(argument) +
                                              "; allowed: " + allowed_flags(verb_)};
      } else {
        parsed_.operands.emplace_back(argument);
      }
    }
    return {};
  }

  Status check_operands() const {
    const size_t count = parsed_.operands.size();
    if (parsed_.help || (count >= verb_.operands_min && count <= verb_.operands_max)) return {};
    return Error{ErrorCode::kInvalid,
                 (count < verb_.operands_min ? "something is missing" : "too many operands") +
                     std::string("; usage: shanhuo ") + std::string(verb_.name) + " " +
                     std::string(verb_.operands)};
  }

  CliArguments take() { return std::move(parsed_); }

 private:
  Status read_flag(std::span<const std::string_view> arguments, size_t& i) {
    std::string_view name = arguments[i].substr(2);
    std::optional<std::string_view> value;
    if (const size_t equals = name.find('='); equals != name.npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    if (name == "url") name = "to";
    const FlagSpec* own = find_flag(verb_.flags, name);
    const FlagSpec* spec = own != nullptr ? own : find_flag(kCommonFlags, name);
    if (spec == nullptr) {
      return Error{ErrorCode::kInvalid,
                   "unknown flag --" + std::string(name) + "; allowed: " + allowed_flags(verb_)};
    }
    if (spec->kind == Kind::kSwitch && value) {
      return Error{ErrorCode::kInvalid, "--" + std::string(name) + " takes no value"};
    }
    if (spec->kind != Kind::kSwitch && !value) {
      if (i + 1 == arguments.size()) {
        return Error{ErrorCode::kInvalid,
                     "--" + std::string(name) + " needs a value: " + std::string(spec->value_name)};
      }
      value = arguments[++i];
    }
    return take_flag(*spec, own != nullptr, value.value_or(""));
  }

  Status take_flag(const FlagSpec& spec, bool own, std::string_view value) {
    const Status checked = check_value(spec, value);
    if (!checked.ok()) return checked;
    if (spec.name == "set" && !own) return take_setting(value);
    if (!seen_.emplace(spec.name, true).second) {
      return Error{ErrorCode::kInvalid, "--" + std::string(spec.name) + " is given twice"};
    }
    if (own) {
      parsed_.given_.emplace(spec.name, value);
    } else {
      take_common(spec.name, value);
    }
    return {};
  }

  Status take_setting(std::string_view value) {
    const size_t equals = value.find('=');
    if (equals == 0 || equals == value.npos) {
      return Error{ErrorCode::kInvalid,
                   "--set: '" + std::string(value) + "' is not KEY=VALUE, for instance port=8080"};
    }
    parsed_.settings.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    return {};
  }

  void take_common(std::string_view name, std::string_view value) {
    if (name == "config") parsed_.config_file = value;
    if (name == "data-dir") parsed_.data_dir = value;
    if (name == "listen") parsed_.listen = value;
    if (name == "to") parsed_.url = value;
    if (name == "token") parsed_.token = value;
    if (name == "json") parsed_.json = true;
    if (name == "help") parsed_.help = true;
  }

  const Verb& verb_;
  CliArguments parsed_;
  std::map<std::string_view, bool> seen_;
};

bool CliArguments::given(std::string_view flag) const { return given_.contains(flag); }

std::string CliArguments::text(std::string_view flag) const {
  if (const auto found = given_.find(flag); found != given_.end()) return found->second;
  const FlagSpec* spec = find_flag(specs_, flag);
  CHECK(spec != nullptr);
  return std::string(spec->fallback);
}

int64_t CliArguments::integer(std::string_view flag) const {
  const std::optional<int64_t> number = parse_number<int64_t>(text(flag));
  CHECK(number.has_value());
  return *number;
}

double CliArguments::number(std::string_view flag) const {
  const std::optional<double> number = parse_number<double>(text(flag));
  CHECK(number.has_value());
  return *number;
}

Millis CliArguments::duration(std::string_view flag) const {
  return parse_duration(text(flag)).value();
}

Millis CliArguments::time(std::string_view flag) const {
  const std::optional<Millis> time = parse_rfc3339(text(flag));
  CHECK(time.has_value());
  return *time;
}

Result<CliArguments> parse_arguments(const Verb& verb, std::span<const std::string_view> arguments,
                                     std::string_view token) {
  ArgumentParser parser(verb);
  Status read = parser.read(arguments);
  if (read.ok()) read = parser.check_operands();
  if (!read.ok()) return read.error();
  CliArguments parsed = parser.take();
  if (parsed.token.empty()) parsed.token = token;
  return parsed;
}

Result<Millis> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
  for (const auto& [unit, ms] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number = parse_number<double>(text.substr(0, text.size() - unit.size()));
    if (!number || !(*number >= 0) || *number * ms > 366 * 86400e3) continue;
    return Millis(static_cast<int64_t>(std::llround(*number * ms)));
  }
  return Error{ErrorCode::kInvalid,
               "'" + std::string(text) + "' is not a duration such as 250ms, 90s, 15m, 24h or 7d"};
}

std::string help_of(std::span<const Verb> verbs) {
  std::string out = "shanhuo: puts farm goods and places into feeds, and keeps its word.\n\n";
  out += "usage: shanhuo VERB [OPERAND...] [--flag VALUE]...\n\n";
  for (const Verb& verb : verbs) {
    std::string left = "  " + std::string(verb.name);
    left.resize(std::max<size_t>(left.size() + 2, 14), ' ');
    out += left + std::string(verb.help) + '\n';
  }
  return out + "\nshanhuo VERB --help says more. Exit: 0 done, 1 the work failed, 2 bad usage.\n";
}

std::string help_of(const Verb& verb) {
  std::string out = "usage: shanhuo " + std::string(verb.name);
  if (!verb.operands.empty()) out += " " + std::string(verb.operands);
  out += " [--flag VALUE]...\n" + std::string(verb.help) + "\n\n";
  for (const FlagSpec& spec : verb.flags) append_flag(out, spec);
  for (const FlagSpec& spec : kCommonFlags) append_flag(out, spec);
  return out;
}

int run_cli(std::span<const Verb> verbs, int argc, const char* const* argv) {
  const std::vector<std::string_view> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    std::fputs(help_of(verbs).c_str(), words.empty() ? stderr : stdout);
    return words.empty() ? kExitUsage : kExitDone;
  }
  const auto verb = std::ranges::find(verbs, words[0], &Verb::name);
  if (verb == verbs.end()) {
    std::fprintf(stderr, "shanhuo: unknown verb '%s'\n\n%s", std::string(words[0]).c_str(),
                 help_of(verbs).c_str());
    return kExitUsage;
  }
  const char* token = std::getenv("SHANHUO_TOKEN");
  const Result<CliArguments> arguments =
      parse_arguments(*verb, std::span(words).subspan(1), token == nullptr ? "" : token);
  if (!arguments.ok()) {
    std::fprintf(stderr, "shanhuo %s: %s\n", std::string(verb->name).c_str(),
                 arguments.error().message.c_str());
    return kExitUsage;
  }
  if (arguments.value().help) {
    std::fputs(help_of(*verb).c_str(), stdout);
    return kExitDone;
  }
  return verb->run(arguments.value());
}

int fail(const CliArguments& arguments, const Error& error) {
  std::fprintf(stderr, "shanhuo %s: %s\n", arguments.verb.c_str(), error.message.c_str());
  return kExitFailed;
}

int bad_usage(const CliArguments& arguments, std::string_view what) {
  std::fprintf(stderr, "shanhuo %s: %s\n", arguments.verb.c_str(), std::string(what).c_str());
  return kExitUsage;
}

}  // namespace shanhuo
