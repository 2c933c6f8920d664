// `shanhuo token`: makes tokens and renews them, on this machine, in the file that engine.yaml
// names. A token is shown once.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/config_store.h"
#include "serving/operator_verbs.h"
#include "serving/terminal.h"
#include "serving/token_table.h"

namespace shanhuo {
namespace {

using Kind = FlagSpec::Kind;

constexpr FlagSpec kFlags[] = {
    {"file", Kind::kText, "FILE", "the token file; new adds the line to it, rotate needs it"},
    {"until", Kind::kText, "TIME", "new: it is unknown from then on (2026-12-31T18:00:00+08:00)"},
    {"rate", Kind::kText, "N", "new: requests a second that it may send"},
    {"keep", Kind::kDuration, "TIME", "rotate: the old ones hold so long yet", "24h"},
};

Status append_line(const std::string& path, const std::string& line) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return Error{ErrorCode::kIo, path + ": " + std::strerror(errno)};
  const std::string text = line + "\n";
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (::close(file) != 0 || !written) {
    return Error{ErrorCode::kIo, path + ": " + std::strerror(written ? errno : error)};
  }
  return {};
}

int show_token(const CliArguments& arguments, const NewToken& token, const std::string& where) {
  if (arguments.json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.field("token", token.token);
    json.field("line", token.line);
    json.end_object();
    std::printf("%s\n", out.c_str());
  } else {
    std::printf("token: %s\n%s%s\n", token.token.c_str(), where.c_str(), token.line.c_str());
  }
  return kExitDone;
}

int make_new(const CliArguments& arguments) {
  const std::string name = arguments.operands.size() > 2 ? arguments.operands[2] : "";
  const Result<NewToken> made =
      make_token(arguments.operands[1], {name, arguments.text("until"), arguments.text("rate")});
  if (!made.ok()) return bad_usage(arguments, made.error().message);
  const std::string file = arguments.text("file");
  if (!file.empty()) {
    const Status appended = append_line(file, made.value().line);
    if (!appended.ok()) return fail(arguments, appended.error());
  }
  return show_token(arguments, made.value(),
                    file.empty() ? "line for the token file: " : "added to " + file + ": ");
}

// "2026-11-11T09:30:00+08:00"
std::string rfc3339(Millis time) {
  std::string text = format_time(time);
  text[10] = 'T';
  std::erase(text, ' ');
  return text;
}

int rotate(const CliArguments& arguments) {
  const std::string file = arguments.text("file");
  if (file.empty()) return bad_usage(arguments, "--file FILE is missing");
  const Result<std::string> text = read_text_file(file);
  if (!text.ok()) return fail(arguments, text.error());
  const std::string until = rfc3339(WallClock().now() + arguments.duration("keep"));
  const Result<RotatedTokens> rotated =
      rotate_tokens(text.value(), file, arguments.operands[1], until);
  if (!rotated.ok()) return fail(arguments, rotated.error());
  const Status written = replace_file(file, rotated.value().text);
  if (!written.ok()) return fail(arguments, written.error());
  return show_token(arguments, rotated.value().token,
                    std::to_string(rotated.value().old) + " old in " + file + " hold until " +
                        until + "; added: ");
}

}  // namespace

const std::span<const FlagSpec> kTokenFlags = kFlags;

int token_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  if (what == "new") return make_new(arguments);
  if (what == "rotate" && arguments.operands.size() == 2) return rotate(arguments);
  return bad_usage(arguments, "'" + what +
                                  "' is not allowed; allowed: new ROLE[:CREATOR] [NAME], "
                                  "rotate NAME");
}

}  // namespace shanhuo
