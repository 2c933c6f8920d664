// Reads a text table (CSV, TSV) row by row, and knows where it stands.
//
//   row    = field *(separator field) [CR] LF       field may be quoted: "a, ""b"""
//   header = the first row, when the file has one: columns are then asked for by name, in any
//            order, and further columns do not matter
//
// A row that cannot be read (an open quote, a wrong number of fields, a line above 1 MiB) is
// reported and skipped; the next line is tried. One thread. Views are valid until the next call.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shanhuo {

struct TableFormat {
  char separator = ',';
  bool header = true;
  bool quotes = true;
  size_t fields_min = 1;  // without a header
};

class TableReader {
 public:
  static constexpr size_t kLineBytesMax = 1 << 20;

  // kIo when the file cannot be read; kInvalid when a wanted column is missing (the message lists
  // those that are there). A column whose name ends in '?' may be missing.
  static Result<TableReader> open(const std::string& path, const TableFormat& format,
                                  const std::vector<std::string>& columns = {});

  enum class Next { kRow, kMalformed, kEnd };
  Next next();

  // Of the present row. field(i) is the i-th wanted column (without a header: the i-th field),
  // empty when an optional column is missing.
  std::string_view field(size_t i) const;
  size_t fields() const { return fields_.size(); }
  // Requires: next() gave kMalformed.
  const std::string& what() const { return what_; }

  uint64_t line() const { return line_; }  // of the row's first line, from 1
  std::string place() const;               // "ratings.csv:12"
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  TableReader() = default;
  bool read_line();
  bool split();
  Status read_header(const std::vector<std::string>& columns);

  std::unique_ptr<std::ifstream> file_;
  std::string path_;
  TableFormat format_;
  size_t width_ = 0;  // fields of the header; 0: no header
  std::vector<std::optional<size_t>> columns_;
  std::string text_;
  std::vector<std::string> fields_;
  std::string what_;
  uint64_t line_ = 0;
  uint64_t bytes_read_ = 0;
};

// The whole text as a number; "61933.0" is no integer. nullopt otherwise.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_decimal(std::string_view text);

}  // namespace shanhuo
