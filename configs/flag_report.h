// Results of flags and experiments as the SDKs show them: trees for JSON, with their field names.
// For the API, for `shanhuo conformance` and for people; not for the request path, it allocates.
#pragma once

#include "configs/flag_evaluator.h"

namespace shanhuo {

// {value, on, off, source, ruleId} and, of an experiment, {experiment, experimentResult}.
Value report_of(const FlagResult& result);
// {key, featureId, inExperiment, hashUsed, variationId, value, hashAttribute, hashValue,
// stickyBucketUsed} and, where there are such, {name, passthrough, bucket, leafId,
// variationWeights, banditVersion}.
Value report_of(const ExperimentResult& result);
// {attributeName, attributeValue, assignments}
Value report_of(const StickyDocument& document);

}  // namespace shanhuo
