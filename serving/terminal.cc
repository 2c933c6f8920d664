#include "serving/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <thread>

#include "base/check.h"
#include "base/clock.h"

namespace shanhuo {
namespace {

std::atomic<bool> g_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler may set it

void on_signal(int) { g_interrupted = true; }

std::string format_clock(double seconds) {
  const auto s = static_cast<int64_t>(std::clamp(seconds, 0.0, 359'999.0));
  char text[64];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%d:%02d:%02d", static_cast<int>(s / 3600),
                  static_cast<int>(s / 60 % 60), static_cast<int>(s % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(s / 60), static_cast<int>(s % 60));
  }
  return text;
}

// The code point at `i`, which moves behind it; a broken byte stands for itself.
uint32_t next_code_point(std::string_view text, size_t& i) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const uint32_t first = byte(i++);
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  uint32_t point = more == 0 ? first : first & (0x3fU >> more);
  for (int k = 0; k < more && i < text.size() && (byte(i) & 0xc0) == 0x80; ++k) {
    point = point << 6 | (byte(i++) & 0x3fU);
  }
  return point;
}

bool is_wide(uint32_t point) {
  return (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
         (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
         (point >= 0xfe30 && point <= 0xfe6f) || (point >= 0xff00 && point <= 0xff60) ||
         (point >= 0xffe0 && point <= 0xffe6) || (point >= 0x20000 && point <= 0x3fffd);
}

bool looks_like_number(std::string_view text) {
  return !text.empty() && text.find_first_of("0123456789") != text.npos &&
         text.find_first_not_of("0123456789.,+-% ") == text.npos;
}

}  // namespace

Progress::Progress(std::string_view label, std::string_view unit)
    : label_(label), unit_(unit), shown_(isatty(STDERR_FILENO) == 1), started_ns_(monotonic_ns()) {}

Progress::~Progress() { finish(); }

void Progress::update(double share, uint64_t count) {
  share_ = share;
  count_ = count;
  if (!shown_) return;
  const int64_t now_ns = monotonic_ns();
  if (now_ns - drawn_ns_ >= 100'000'000) draw(now_ns);
}

void Progress::finish() {
  if (!open_) return;
  draw(monotonic_ns());
  std::fputc('\n', stderr);
  open_ = false;
}

void Progress::draw(int64_t now_ns) {
  drawn_ns_ = now_ns;
  open_ = true;
  const double seconds = static_cast<double>(now_ns - started_ns_) * 1e-9;
  std::fprintf(stderr, "\r\033[K%s", progress_line(label_, unit_, share_, count_, seconds).c_str());
  std::fflush(stderr);
}

std::string progress_line(std::string_view label, std::string_view unit, double share,
                          uint64_t count, double seconds) {
  constexpr int kBarWidth = 24;
  std::string line(label);
  if (share >= 0) {
    const double part = std::min(share, 1.0);
    const auto filled = static_cast<size_t>(part * kBarWidth);
    line += " [" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] " +
            format_fixed(100 * part, 0) + " %";
  }
  line += "  " + with_separators(count) + " " + std::string(unit);
  if (seconds > 0) {
    line +=
        "  " + with_separators(static_cast<uint64_t>(static_cast<double>(count) / seconds)) + "/s";
  }
  if (share > 0.001 && share < 1) line += "  ETA " + format_clock(seconds * (1 - share) / share);
  return line;
}

TextTable::TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void TextTable::add(std::vector<std::string> cells) {
  CHECK(cells.size() == rows_[0].size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::str() const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns, 0);
  std::vector<char> right(columns, rows_.size() > 1);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], display_width(rows_[r][c]));
      if (r > 0 && rows_[r][c] != "-" && !looks_like_number(rows_[r][c])) right[c] = 0;
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      const std::string blanks(widths[c] - display_width(row[c]), ' ');
      line += (c == 0 ? "" : "  ") + (right[c] ? blanks + row[c] : row[c] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) width += is_wide(next_code_point(text, i)) ? 2 : 1;
  return width;
}

std::string with_separators(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string format_fixed(double number, int decimals) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return {text, static_cast<size_t>(std::clamp(length, 0, 63))};
}

std::string format_time(Millis time) {
  const std::time_t seconds = window_of(time, kSecond) + 8 * 3600;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S +08:00", &parts)};
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_interrupted; }

bool sleep_unless_interrupted(Millis duration) {
  constexpr int64_t kSliceMs = 50;
  for (int64_t left = duration.count(); left > 0 && !interrupted(); left -= kSliceMs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kSliceMs)));
  }
  return !interrupted();
}

}  // namespace shanhuo
