//  A stream's query into a filter: what is taken has a key, and the key read as a query is the
//  same filter; what is refused is named.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "../../gateway/filter.h"

#include <errno.h>

#define NAMES_MAX 64

//  `name=value&…`, escaped; false at the first that is refused.
static bool
take (filter_t *filter, const char *query)
{
    _cleanup_ (string_destroy) char *name = malloc (strlen (query) + 1);
    _cleanup_ (string_destroy) char *value = malloc (strlen (query) + 1);
    bool taken = true;

    while (taken && *query) {
        size_t size = strcspn (query, "&"), name_size = strcspn (query, "=&");
        size_t rest = name_size < size ? name_size + 1 : size;
        reason_t why = {""};
        if (url_decode (name, query, name_size) < 0 ||
            url_decode (value, query + rest, size - rest) < 0) {
            return false;
        }
        int rc = filter_set (filter, name, value, &why);
        CHECK (rc == 0 || rc == -ENOENT || rc == -EINVAL);
        CHECK (rc == 0 || why.text [0]);
        taken = rc == 0;
        query += size + (query [size] == '&');
    }
    return taken;
}

static void
ask (const filter_t *filter)
{
    static const char WORKER [] = "aaaaaaaa-0000-5000-8000-000000000001";
    feed_header_t header = {.kind = FEED_EVENT, .seq = 1, .priority = 5};

    snprintf (header.region, sizeof header.region, "us-east-1");
    snprintf (header.worker_id, sizeof header.worker_id, "%s", WORKER);
    snprintf (header.job_type, sizeof header.job_type, "labs.refresh");
    for (int type = EVENT_UNKNOWN; type < EVENT_TYPE_COUNT; type++) {
        header.type = (event_type_t) type;
        frame_t *frame = frame_of_event (&header, 0, "{}", 2);
        CHECK (frame);
        CHECK (!filter_wants (filter, frame) || filter_wants_type (filter, header.type));
        CHECK (!filter_wants (filter, frame) ||
               filter_wants_worker (filter, header.region, header.worker_id));
        frame_release (&frame);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *query = fuzz_text (data, size);
    _cleanup_ (filter_release) filter_t *filter = filter_new (NAMES_MAX);
    _cleanup_ (filter_release) filter_t *again = filter_new (NAMES_MAX);
    _cleanup_ (buffer_clear) buffer_t key = {0}, key_again = {0};

    if (!take (filter, query)) {
        return 0;
    }
    ask (filter);
    filter_write_key (filter, &key);
    //  A topic without a type of its own yet leaves nothing wanted, which no query can say.
    if (key.size > 0 && !strstr (key.data, "event_types=&") &&
        strcmp (key.data, "&event_types=") != 0) {
        //  The key's words are not escaped: a name with a '&' in it is nobody's.
        if (!strpbrk (query, "%+;")) {
            CHECK (take (again, key.data + 1));
            filter_write_key (again, &key_again);
            CHECK (strcmp (key.data, key_again.data) == 0);
        }
    }
    _cleanup_ (filter_release) filter_t *copy = filter_copy (filter);
    CHECK (copy);
    buffer_reset (&key_again);
    filter_write_key (copy, &key_again);
    CHECK (key.size == key_again.size && (key.size == 0 || strcmp (key.data, key_again.data) == 0));
    return 0;
}
