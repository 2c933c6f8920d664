#include "serving/train_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "base/durable_file.h"
#include "features/digest.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kMagic = "shtrain1";
constexpr size_t kHexDigits = 64;
constexpr uint32_t kMetricsMax = 1'000;

struct Header {
  std::array<uint64_t, TrainState::kTables> floats{};
  std::array<std::string_view, TrainState::kTables> digests;
};

bool take_bytes(std::string_view* in, size_t count, std::string_view* out) {
  if (in->size() < count) return false;
  *out = in->substr(0, count);
  in->remove_prefix(count);
  return true;
}

// All but the magic and the fingerprint.
bool take_header(std::string_view* in, TrainState* state, Header* header) {
  uint32_t phase = 0, rounds = 0, metrics = 0;
  if (!take_fixed(in, &phase) || phase > 1 || !take_fixed(in, &rounds) || rounds > 1'000'000 ||
      !take_fixed(in, &metrics) || metrics > kMetricsMax) {
    return false;
  }
  state->phase = static_cast<TrainState::Phase>(phase);
  state->rounds = static_cast<int>(rounds);
  while (metrics-- > 0) {
    std::string_view name;
    double number = 0;
    if (!take_text(in, &name) || !take_fixed(in, &number) || !std::isfinite(number)) return false;
    state->metrics.emplace_back(name, number);
  }
  for (uint64_t& floats : header->floats) {
    if (!take_fixed(in, &floats)) return false;
  }
  for (std::string_view& digest : header->digests) {
    if (!take_bytes(in, kHexDigits, &digest)) return false;
  }
  return true;
}

}  // namespace

Result<std::optional<TrainState>> TrainStateFile::load() const {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return std::optional<TrainState>();
  std::ifstream in(path_, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (!in) return Error{ErrorCode::kIo, path_ + ": cannot be read"};
  Result<TrainState> state = read(bytes);
  if (!state.ok()) return state.error().within(path_);
  return std::optional(std::move(state).value());
}

Result<TrainState> TrainStateFile::read(std::string_view bytes) const {
  const Error corrupt{ErrorCode::kCorrupt,
                      "is not as it was written; train without --resume to begin anew"};
  const std::string_view whole = bytes;
  std::string_view magic, digest;
  uint64_t fingerprint = 0;
  TrainState state;
  Header header;
  if (!take_bytes(&bytes, kMagic.size(), &magic) || magic != kMagic ||
      !take_fixed(&bytes, &fingerprint) || !take_header(&bytes, &state, &header)) {
    return corrupt;
  }
  const size_t size = whole.size() - bytes.size();
  if (!take_bytes(&bytes, kHexDigits, &digest) || sha256_hex(whole.substr(0, size)) != digest) {
    return corrupt;
  }
  if (fingerprint != fingerprint_) {
    return Error{ErrorCode::kConflict,
                 "belongs to other data or parameters; train without --resume to begin anew"};
  }
  for (size_t t = 0; t < TrainState::kTables; ++t) {
    std::string_view table;
    if (header.floats[t] > bytes.size() / sizeof(float) ||
        !take_bytes(&bytes, header.floats[t] * sizeof(float), &table) ||
        sha256_hex(table) != header.digests[t]) {
      return corrupt;
    }
    state.tables[t].resize(header.floats[t]);
    if (!table.empty()) std::memcpy(state.tables[t].data(), table.data(), table.size());
  }
  return bytes.empty() ? Result<TrainState>(std::move(state)) : corrupt;
}

Status TrainStateFile::save(const TrainState& state) const {
  std::string header(kMagic);
  put_fixed(&header, fingerprint_);
  put_fixed(&header, static_cast<uint32_t>(state.phase));
  put_fixed(&header, static_cast<uint32_t>(state.rounds));
  put_fixed(&header, static_cast<uint32_t>(state.metrics.size()));
  for (const auto& [name, number] : state.metrics) {
    put_text(&header, name);
    put_fixed(&header, number);
  }
  std::vector<std::string_view> pieces(1);
  for (const std::vector<float>& table : state.tables) {
    put_fixed(&header, static_cast<uint64_t>(table.size()));
    pieces.push_back(bytes_of(std::span(table)));
  }
  for (size_t t = 0; t < TrainState::kTables; ++t) header += sha256_hex(pieces[1 + t]);
  header += sha256_hex(header);
  pieces.front() = header;
  return replace_file(path_, pieces);
}

void TrainStateFile::remove() const {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace shanhuo
