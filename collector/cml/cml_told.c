// SPDX-License-Identifier: MIT

#include "cml_told.h"

//  FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
static uint64_t
hash_of (const char *text, size_t size)
{
    uint64_t hash = UINT64_C (0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char) text [i]) * UINT64_C (0x100000001b3);
    }
    return hash;
}

bool
cml_told_is_due (cml_told_t *self, struct json_object *content, time_us_t now_steady)
{
    size_t size = 0;
    const char *text = json_object_to_json_string_length (content, JSON_C_TO_STRING_PLAIN, &size);
    uint64_t hash = text ? hash_of (text, size) : 0;

    if (self->known && self->hash == hash && now_steady - self->at < CML_TOLD_AGAIN_US) {
        return false;
    }
    *self = (cml_told_t){.known = true, .hash = hash, .at = now_steady};
    return true;
}

void
cml_told_forget (cml_told_t *self)
{
    *self = (cml_told_t){0};
}
