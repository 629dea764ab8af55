// license.h - what CML's /licensing says, as one of our words (design.md section 4).
//
// Pure. registration COMPLETED and authorization IN_COMPLIANCE is registered; evaluation
// evaluation; expired expired; registration not done unregistered; else invalid. The words are
// compared without regard to case; CML's document does not list them (api-facts 5.5).
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_LICENSE_H
#define AGGREGATOR_LICENSE_H

#include <json-c/json.h>

//  A static text.
const char *license_status (struct json_object *licensing);

#endif
