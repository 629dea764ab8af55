// cml_token.h - what the answer of POST /authenticate says: a JWT, and what is in it; pure.
//
// The token is the server's to verify; here its claims are only read (RFC 7519): `exp`,
// to log in anew before it ends, and `sub`, the id of our own account, whose activity does
// not count as anybody's. Both are optional, and a token that is no JWT is as good.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_TOKEN_H
#define COLLECTOR_CML_TOKEN_H

#include "../../common/clock.h"

#include <stdbool.h>

#define CML_TOKEN_MAX      4096  //  bytes; it becomes a header line
#define CML_ACCOUNT_ID_MAX 64

typedef struct cml_claims {
    time_us_t issued;   //  wall, of the server's clock; TIME_UNKNOWN when it is not said
    time_us_t expires;  //  likewise
    char account_id [CML_ACCOUNT_ID_MAX];  //  "" when it is not said
} cml_claims_t;

//  True when the text may stand in a header: visible ASCII and not too long.
bool cml_token_is_sound (const char *token);

//  The claims; everything unknown when there are none to be read.
cml_claims_t cml_token_claims (const char *token);

#endif
