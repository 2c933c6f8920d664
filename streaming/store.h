// Store: bytes to bytes, ordered by key, on disk. The only door to RocksDB; everything that is kept
// (log blocks, checkpoints) goes through it.
//
// A write is a Batch, applied whole or not at all. With `sync` it survives power loss once write()
// has returned. Whoever opens a Store owns its directory alone (a lock file sees to it). Reads and
// writes are thread-safe; a Batch and a Cursor belong to one thread at a time. Every checksum is
// verified on every read; what does not hold is kCorrupt and is never handed out. A write that was
// refused by the disk (kIo, for instance disk full) leaves nothing behind, and the next write tries
// to resume. A disk counts as full while what is in memory can still be flushed to it. Memory is
// bounded by the options.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "features/state_machine.h"

namespace shanhuo {

struct StoreOptions {
  size_t block_cache_bytes = 32u << 20;   // raising it: fewer disk reads, that much memory
  size_t write_buffer_bytes = 32u << 20;  // each of at most three; raising it: rarer flushes
  int open_files_max = 512;
  // Values of at least this size are stored apart and not rewritten by compaction; 0: none are.
  // For logs of large blocks.
  size_t apart_bytes_min = 0;
};

// Changes to be applied together, in the order in which they were added.
class Batch {
 public:
  explicit Batch(size_t reserved_bytes = 0);  // room for that much before it must move
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  void erase_range(std::string_view from, std::string_view to);  // from inclusive, to exclusive
  void clear();
  size_t bytes() const;
  size_t count() const;
  // Gives `to` the changes in order. Requires: no erase_range() among them.
  void replay(StateWriter& to) const;

 private:
  friend class Store;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// A position in the ordered keys as of its creation. Views are valid until it moves.
class Cursor {
 public:
  ~Cursor();
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;

  void seek(std::string_view key);          // to the first key >= `key`
  void seek_at_most(std::string_view key);  // to the last key <= `key`
  void next();                              // Requires: valid()
  bool valid() const;                       // false past the end, or after a failure: see status()
  std::string_view key() const;             // Requires: valid()
  std::string_view value() const;           // Requires: valid()
  Status status() const;

 private:
  friend class Store;
  struct Rep;
  explicit Cursor(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// What a checkpoint is kept in (checkpoint.h): a Store, or in the deterministic simulation a map in
// memory.
class StateStore : public StateReader {
 public:
  virtual Status write(Batch& batch, bool sync) = 0;  // the batch stays as it is
  // A consistent copy in `directory`, which must not exist: hard links where the file system
  // allows.
  virtual Status backup(const std::string& directory) = 0;
  // Rewrites the range so that erased and overwritten values are gone from the disk. Takes as long
  // as copying the range; reads and writes go on meanwhile. Empty `to`: to the end.
  virtual Status purge(std::string_view from, std::string_view to) = 0;
};

class Store final : public StateStore {
 public:
  // Makes the directory when it is missing. kCorrupt when what is there does not hold, kConflict
  // when another process has it open.
  static Result<std::unique_ptr<Store>> open(const std::string& path, const StoreOptions& options);
  ~Store() override;

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Status write(Batch& batch, bool sync) override;
  Status scan(std::string_view prefix, const Visit& visit) const override;
  Status scan_range(std::string_view from, std::string_view to, const Visit& visit) const override;
  Cursor cursor() const;

  Status backup(const std::string& directory) override;
  Status purge(std::string_view from, std::string_view to) override;

 private:
  struct Rep;
  explicit Store(std::unique_ptr<Rep> rep);
  Status room_for(size_t batch_bytes) const;
  std::unique_ptr<Rep> rep_;
};

}  // namespace shanhuo
