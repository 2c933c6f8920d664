#include "features/experiment_exposure.h"

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string encode_exposure(const ExperimentExposure& exposure) {
  std::string bytes;
  put_fixed(&bytes, kVersion);
  put_fixed(&bytes, exposure.phase);
  put_fixed(&bytes, exposure.at.count());
  put_text(&bytes, exposure.experiment);
  put_text(&bytes, exposure.variation);
  return bytes;
}

std::optional<ExperimentExposure> decode_exposure(std::string_view bytes) {
  ExperimentExposure exposure;
  uint8_t version = 0;
  int64_t at = 0;
  if (!take_fixed(&bytes, &version) || version != kVersion ||
      !take_fixed(&bytes, &exposure.phase) || !take_fixed(&bytes, &at) ||
      !take_text(&bytes, &exposure.experiment) || !take_text(&bytes, &exposure.variation) ||
      !bytes.empty() || !valid_id(exposure.experiment) || !valid_id(exposure.variation)) {
    return std::nullopt;
  }
  exposure.at = Millis(at);
  return exposure;
}

}  // namespace shanhuo
