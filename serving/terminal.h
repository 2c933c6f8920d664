// What people see: a progress bar on stderr, tables, numbers with separators, and Ctrl-C.
//
// Nothing here writes to a stream that is no terminal, except where a caller prints what it got.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace shanhuo {

// One line on stderr that is rewritten at most ten times a second. Silent when stderr is no
// terminal. One thread.
class Progress {
 public:
  // `unit` is what is counted: "events".
  Progress(std::string_view label, std::string_view unit);
  ~Progress();  // finish()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `share`: how much of the work is done, 0..1, or below 0 when nobody knows.
  void update(double share, uint64_t count);
  // Leaves the last state on its line and moves on.
  void finish();

 private:
  void draw(int64_t now_ns);

  const std::string label_, unit_;
  const bool shown_;
  const int64_t started_ns_;
  int64_t drawn_ns_ = 0;
  double share_ = -1;
  uint64_t count_ = 0;
  bool open_ = false;
};

// The line of a progress bar, without the carriage return; for Progress and its test.
std::string progress_line(std::string_view label, std::string_view unit, double share,
                          uint64_t count, double seconds);

// Columns as wide as their widest cell; numbers stand at the right. Chinese characters count two.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  // Requires: as many cells as the header has.
  void add(std::vector<std::string> cells);
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Columns that a terminal gives to UTF-8 text.
size_t display_width(std::string_view text);

std::string with_separators(uint64_t number);           // 1,234,567
std::string format_fixed(double number, int decimals);  // "0.25"
std::string format_time(Millis time);                   // "2026-11-11 09:30:00 +08:00"

// From the first call on, SIGINT and SIGTERM do not end the process: they make interrupted() true.
// A second signal ends it at once.
void catch_interrupts();
bool interrupted();

// Sleeps; false when interrupted() became true meanwhile.
bool sleep_unless_interrupted(Millis duration);

}  // namespace shanhuo
