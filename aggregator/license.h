// license.h - what CML's /licensing says, as one of our words (design.md section 4).
//
// Pure. registration COMPLETED and authorization IN_COMPLIANCE is registered; evaluation
// evaluation; expired expired; registration not done unregistered; else invalid. The words are
// compared without regard to case; CML's document does not list them (api-facts 5.5).
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_LICENSE_H
#define AGGREGATOR_LICENSE_H

#include "../common/json_doc.h"

//  A static text.
const char *license_status (const json_node_t *licensing);

//  A registration token that CML tells (none of the versions known to us does) is a secret: it
//  is masked in the document itself, which borrows it, but for its last 4, and given back so; null when
//  there is none.
#define LICENSE_TOKEN_SIZE 16
const char *license_mask_token (const json_node_t *licensing, char masked [LICENSE_TOKEN_SIZE]);

#endif
