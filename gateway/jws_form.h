// jws_form.h - whether a token has the form that the libraries behind it may be given.
//
// A token is read before its signature can be checked, so what reads it is open to anybody. liborcania 2.3.2 (Debian 12) takes a
// `=` inside base64url for an end when it counts the bytes, and not when it writes them: beyond the block, by as much as
// follows. rhonabwy 1.1.11 inflates the payload of a signed token with `zip`, which is JWE's (RFC 7516, 4.1.3): 8 KB become
// as many MB. Neither is given such a token, and no key of a set with such a number in it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_JWS_FORM_H
#define GATEWAY_JWS_FORM_H

#include "../common/reason.h"

#include <stdbool.h>
#include <stddef.h>

//  RFC 7515, 2: the 64 characters and nothing else, as many as whole bytes have; an empty text too.
bool jws_is_base64url (const char *text, size_t size);

//  RFC 7515, 3.1: three such parts, of which the first is a JSON object without `zip`. 0; -EACCES and why.
int jws_check_form (const char *token, size_t size, reason_t *why);

//  Each key of {"keys":[…]} whose numbers are base64url, as text of its own; of what is no set, none.
typedef void jws_key_fn (void *argument, const char *key);
void jws_each_key (const char *set, jws_key_fn *fn, void *argument);

#endif
