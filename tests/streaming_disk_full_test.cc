// A disk that runs full, made of a small tmpfs: the log refuses, nothing half written remains, and
// both go on by themselves once there is room. Needs to be root, or to be allowed a mount
// namespace.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <thread>

#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    std::filesystem::create_directories(path);
    if (mount("tmpfs", path.c_str(), "tmpfs", 0, "size=24m") == 0) {
      mounted_ = true;
    } else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) {
      mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=24m") == 0;
    }
  }
  ~SmallDisk() {
    if (mounted_) umount(path_.c_str());
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST(DiskFull, TheLogRefusesLosesNothingAndResumesByItself) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a tmpfs";
  const std::string ballast = dir / "disk/ballast";
  std::ofstream(ballast) << std::string(14u << 20, 'x');

  SmallEngine engine(dir / "disk/data");
  ASSERT_TRUE(engine.pipeline->start().ok());
  const Millis now = engine.wall.now();
  const std::string padding(2'000, 'p');
  uint64_t taken = 0, refused_in_a_row = 0, refused = 0;
  for (int i = 0; i < 20'000 && (refused == 0 || refused_in_a_row > 0 || taken % 100 != 0); ++i) {
    const std::string id = "e" + std::to_string(i);
    Interaction event = simple_event(id, "i", now);
    event.token = padding;
    const std::string value = encoded(event);
    const std::vector<AppendRecord> records(5, {"u1", value});
    const auto first = append_wait(*engine.log, Topic::kInteractions, records);
    if (first.ok()) {
      EXPECT_EQ(first.value(), static_cast<int64_t>(taken) * 5);
      ++taken;
      refused_in_a_row = 0;
      continue;
    }
    EXPECT_EQ(first.error().code, ErrorCode::kUnavailable);
    ++refused;
    if (++refused_in_a_row == 5) std::filesystem::remove(ballast);
    ASSERT_LT(refused_in_a_row, 500u) << first.error().message;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(refused, 5u);
  EXPECT_TRUE(engine.pipeline->stop().ok());
  const PipelineStats stats = engine.pipeline->stats();
  EXPECT_EQ(stats.applied, taken);
  EXPECT_EQ(stats.duplicate, taken * 4);
  EXPECT_EQ(engine.machine.counts.at("i"), taken);
}

}  // namespace
}  // namespace shanhuo
