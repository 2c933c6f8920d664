// The command line: verbs and flags as tables, one parser for all of them.
//
//   shanhuo VERB [OPERAND...] [--flag VALUE | --flag=VALUE | --switch]...
//
// Every verb knows the common flags (--config, --data-dir, --listen, --set, --to or --url, --token,
// --json, --help) and those of its own table. Whatever is unknown, given twice, of the wrong type
// or out of range is bad usage: exit 2 and a sentence that says what is allowed. Nothing is
// guessed.
//
// Single-threaded. The access token comes from --token or from SHANHUO_TOKEN and is never printed.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace shanhuo {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;  // the work failed
inline constexpr int kExitUsage = 2;   // bad usage or configuration

struct FlagSpec {
  enum class Kind { kSwitch, kText, kInteger, kNumber, kDuration, kTime };

  std::string_view name;  // without the dashes
  Kind kind = Kind::kText;
  std::string_view value_name;     // in the help; empty for a switch
  std::string_view help;           // one line
  std::string_view fallback = {};  // as one would write it; empty: none
  double least = 0, most = 0;      // of kInteger and kNumber, inclusive; least == most: any
};

// What a verb was called with. Values have been checked against the table already.
class CliArguments {
 public:
  std::string verb;
  std::vector<std::string> operands;
  std::string config_file = "configs/engine.yaml";  // its folder holds programs/ and experiments/
  std::string data_dir;                             // empty: as the configuration says
  std::string listen;                               // HOST:PORT; empty: as the configuration says
  std::vector<std::pair<std::string, std::string>> settings;  // of --set, in order
  std::string url = "http://127.0.0.1:8080";
  std::string token;  // empty: none
  bool json = false;
  bool help = false;

  // Flags of the verb's own table. given() is false when only the fallback speaks; text() of what
  // was not given and has no fallback is empty. The others: Requires a value.
  bool given(std::string_view flag) const;
  bool is_on(std::string_view flag) const { return given(flag); }
  std::string text(std::string_view flag) const;
  int64_t integer(std::string_view flag) const;
  double number(std::string_view flag) const;
  Millis duration(std::string_view flag) const;  // "24h", "90s"
  Millis time(std::string_view flag) const;      // "2026-11-11T00:00:00+08:00"

 private:
  friend class ArgumentParser;
  std::map<std::string, std::string, std::less<>> given_;
  std::span<const FlagSpec> specs_;
};

struct Verb {
  std::string_view name;
  std::string_view operands;  // in the help: "FORMAT PATH"
  std::string_view help;      // one line
  size_t operands_min = 0, operands_max = 0;
  std::span<const FlagSpec> flags;  // besides the common ones
  int (*run)(const CliArguments& arguments) = nullptr;
};

// kInvalid with a sentence for the user. `arguments`: what follows the verb. `token`: the value of
// SHANHUO_TOKEN, which --token overrides.
Result<CliArguments> parse_arguments(const Verb& verb, std::span<const std::string_view> arguments,
                                     std::string_view token = {});

// "250ms", "90s", "15m", "24h", "7d"; also fractions ("1.5h"). At most 366 days.
Result<Millis> parse_duration(std::string_view text);

// Texts of --help.
std::string help_of(std::span<const Verb> verbs);
std::string help_of(const Verb& verb);

// Finds the verb, parses, runs. Returns the exit code.
int run_cli(std::span<const Verb> verbs, int argc, const char* const* argv);

// "shanhuo VERB: what" to stderr; returns the code that fits the failure.
int fail(const CliArguments& arguments, const Error& error);
int bad_usage(const CliArguments& arguments, std::string_view what);

}  // namespace shanhuo
