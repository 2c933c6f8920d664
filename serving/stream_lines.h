// Lines of a stream, for whoever takes a LineSource (replay.h).
#pragma once

#include <cerrno>
#include <cstring>
#include <istream>
#include <string>

#include "serving/replay.h"

namespace shanhuo {

class StreamLines final : public LineSource {
 public:
  // `in` must outlive it. `bytes_total`: for share_done(), 0 when unknown.
  StreamLines(std::istream& in, uint64_t bytes_total) : in_(in), bytes_total_(bytes_total) {}
  Result<bool> next(std::string& line) override {
    if (!std::getline(in_, line)) {
      if (!in_.bad()) return false;
      return Error{ErrorCode::kIo, std::string("reading failed: ") + std::strerror(errno)};
    }
    ++number_;
    bytes_ += line.size() + 1;
    return true;
  }
  uint64_t number() const override { return number_; }
  double share_done() const override {
    return bytes_total_ == 0 ? -1.0
                             : static_cast<double>(bytes_) / static_cast<double>(bytes_total_);
  }

 private:
  std::istream& in_;
  const uint64_t bytes_total_;
  uint64_t number_ = 0, bytes_ = 0;
};

}  // namespace shanhuo
