#include "streaming/store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace shanhuo {
namespace {

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

Error to_error(const rocksdb::Status& status) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNotFound()) code = ErrorCode::kNotFound;
  const std::string text = status.ToString();
  const bool lock = text.find("lock hold") != std::string::npos ||
                    text.find("While lock file") != std::string::npos;
  if (status.IsIOError() && lock) code = ErrorCode::kConflict;
  return {code, text};
}

Status to_status(const rocksdb::Status& status) {
  return status.ok() ? Status() : Status(to_error(status));
}

// The shortest text above every text that starts with `prefix`; empty: there is none.
std::string after_prefix(std::string_view prefix) {
  std::string text(prefix);
  while (!text.empty() && static_cast<unsigned char>(text.back()) == 0xFF) text.pop_back();
  if (!text.empty()) text.back() = static_cast<char>(static_cast<unsigned char>(text.back()) + 1);
  return text;
}

// RocksDB's own log file aborts the process when it is written to once more after the disk was full
// (an assertion that Debian's build has on). What matters comes back as a Status anyway.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// After a full disk write() resumes by itself. RocksDB's own attempts, every five seconds and only
// with a whole write buffer of space, would keep it from that.
class NoRecovery final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::Options to_rocksdb(const StoreOptions& given) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // A crash may cut the last record short; anything else wrong in the write-ahead log is refused.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.write_buffer_size = given.write_buffer_bytes;
  options.max_write_buffer_number = 3;
  options.max_open_files = given.open_files_max;
  options.max_background_jobs = 2;
  // Nobody waits for a flush or a compaction: they yield to the fold and to requests.
  for (const auto pool : {rocksdb::Env::Priority::LOW, rocksdb::Env::Priority::HIGH}) {
    static_cast<void>(options.env->LowerThreadPoolCPUPriority(pool, rocksdb::CpuPriority::kLow));
  }
  options.compression = rocksdb::kNoCompression;
  options.bytes_per_sync = 1u << 20;
  // The manifest names the first and the last key of every table, of tables that are gone too: each
  // change of tables, which is rare, writes it anew.
  options.max_manifest_file_size = 1;
  options.info_log = std::make_shared<NoLog>();
  options.listeners.push_back(std::make_shared<NoRecovery>());
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  if (given.apart_bytes_min > 0) {
    options.enable_blob_files = true;
    options.min_blob_size = given.apart_bytes_min;
    options.blob_file_size = 64u << 20;
  }
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(given.block_cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

struct Batch::Rep {
  explicit Rep(size_t reserved_bytes) : batch(reserved_bytes) {}
  rocksdb::WriteBatch batch;
};

Batch::Batch(size_t reserved_bytes) : rep_(std::make_unique<Rep>(reserved_bytes)) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

void Batch::put(std::string_view key, std::string_view value) {
  CHECK(rep_->batch.Put(slice(key), slice(value)).ok());
}
void Batch::erase(std::string_view key) { CHECK(rep_->batch.Delete(slice(key)).ok()); }
void Batch::erase_range(std::string_view from, std::string_view to) {
  CHECK(rep_->batch.DeleteRange(slice(from), slice(to)).ok());
}
void Batch::clear() { rep_->batch.Clear(); }
size_t Batch::bytes() const { return rep_->batch.GetDataSize(); }
size_t Batch::count() const { return rep_->batch.Count(); }

void Batch::replay(StateWriter& to) const {
  struct Handler final : rocksdb::WriteBatch::Handler {
    explicit Handler(StateWriter& given) : writer(given) {}
    void Put(const rocksdb::Slice& key, const rocksdb::Slice& value) override {
      writer.put(view(key), view(value));
    }
    void Delete(const rocksdb::Slice& key) override { writer.erase(view(key)); }
    StateWriter& writer;
  };
  Handler handler(to);
  CHECK(rep_->batch.Iterate(&handler).ok());
}

struct Cursor::Rep {
  std::unique_ptr<rocksdb::Iterator> iterator;
};

Cursor::Cursor(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

void Cursor::seek(std::string_view key) { rep_->iterator->Seek(slice(key)); }
void Cursor::seek_at_most(std::string_view key) { rep_->iterator->SeekForPrev(slice(key)); }
void Cursor::next() { rep_->iterator->Next(); }
bool Cursor::valid() const { return rep_->iterator->Valid(); }
std::string_view Cursor::key() const { return view(rep_->iterator->key()); }
std::string_view Cursor::value() const { return view(rep_->iterator->value()); }
Status Cursor::status() const { return to_status(rep_->iterator->status()); }

struct Store::Rep {
  std::unique_ptr<rocksdb::DB> db;
  std::atomic<bool> stuck{false};  // the last write failed; resume before the next
};

Store::Store(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

// What is in the write-ahead log alone would be inserted again by the next open, a few seconds for
// a million records. Nothing depends on it: a flush that fails leaves the log.
Store::~Store() {
  rocksdb::FlushOptions options;
  if (!rep_->stuck.load()) static_cast<void>(rep_->db->Flush(options));
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const StoreOptions& options) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return Error{ErrorCode::kIo, path + ": " + failed.message()};
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(to_rocksdb(options), path, &db);
  if (!status.ok()) return to_error(status).within(path);
  auto rep = std::make_unique<Rep>();
  rep->db.reset(db);
  return std::unique_ptr<Store>(new Store(std::move(rep)));
}

Result<std::optional<std::string>> Store::get(std::string_view key) const {
  std::string value;
  const rocksdb::Status status = rep_->db->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return to_error(status);
  return std::optional<std::string>(std::move(value));
}

// A disk is full for us while what is in memory could still be flushed to it. Meeting the end of it
// instead would be worse: when a write fails as RocksDB changes to another memory table (and since
// it reserves the space of its log ahead, that is when), the flush that was scheduled is dropped
// but stays queued, and resuming waits for it for ever (7.8).
Status Store::room_for(size_t batch_bytes) const {
  constexpr uint64_t kSlackBytes = 2u << 20;
  uint64_t in_memory = 0, free = 0;
  if (!rep_->db->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &in_memory) ||
      !rep_->db->GetEnv()->GetFreeSpace(rep_->db->GetName(), &free).ok()) {
    return {};
  }
  const uint64_t needed = in_memory + 2 * batch_bytes + kSlackBytes;
  if (free >= needed) return {};
  return Error{ErrorCode::kIo, "the disk is full: writing needs " +
                                   std::to_string((needed >> 20) + 1) + " MiB free, there are " +
                                   std::to_string(free >> 20)};
}

Status Store::write(Batch& batch, bool sync) {
  if (Status room = room_for(batch.bytes()); !room.ok()) return room;
  if (rep_->stuck.load()) {
    const rocksdb::Status resumed = rep_->db->Resume();
    if (!resumed.ok()) return to_error(resumed).within("cannot resume");
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = rep_->db->Write(options, &batch.rep_->batch);
  rep_->stuck.store(!status.ok());
  return to_status(status);
}

Cursor Store::cursor() const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  auto rep = std::make_unique<Cursor::Rep>();
  rep->iterator.reset(rep_->db->NewIterator(options));
  return Cursor(std::move(rep));
}

Status Store::scan(std::string_view prefix, const Visit& visit) const {
  return scan_range(prefix, after_prefix(prefix), visit);
}

Status Store::scan_range(std::string_view from, std::string_view to, const Visit& visit) const {
  const rocksdb::Slice end = slice(to);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 2u << 20;
  if (!to.empty()) options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> iterator(rep_->db->NewIterator(options));
  for (iterator->Seek(slice(from)); iterator->Valid(); iterator->Next()) {
    Status visited = visit(view(iterator->key()), view(iterator->value()));
    if (!visited.ok()) return visited;
  }
  return to_status(iterator->status());
}

Status Store::backup(const std::string& directory) {
  rocksdb::Checkpoint* made = nullptr;
  const rocksdb::Status created = rocksdb::Checkpoint::Create(rep_->db.get(), &made);
  if (!created.ok()) return to_error(created);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return to_status(checkpoint->CreateCheckpoint(directory));
}

Status Store::purge(std::string_view from, std::string_view to) {
  const rocksdb::Slice begin = slice(from), end = slice(to);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Status compacted =
      rep_->db->CompactRange(options, &begin, to.empty() ? nullptr : &end);
  if (!compacted.ok()) return to_status(compacted);
  // A manifest begins with what was before the change that wrote it, so one more change has to
  // follow: a table with a tombstone of a key that nobody has.
  const rocksdb::Status marked = rep_->db->Delete(rocksdb::WriteOptions(), rocksdb::Slice());
  return to_status(marked.ok() ? rep_->db->Flush(rocksdb::FlushOptions()) : marked);
}

}  // namespace shanhuo
