#include "serving/exposure_book.h"

#include <string>

namespace shanhuo {

void ExposureBook::record(std::string_view user_id, const ExperimentExposure& exposure) {
  const std::string bytes = encode_exposure(exposure);
  Counter& lost = metrics_.experiment_exposures_lost;
  log_.append(Topic::kInteractions, kByKey, {{user_id, bytes, ContentType::kExposure}},
              [&lost](const Result<Appended>& appended) {
                if (!appended.ok()) lost.add();
              });
}

}  // namespace shanhuo
