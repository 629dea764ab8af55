// lease_list.c - an answer to the question `lease`, taken apart.
//
// SPDX-License-Identifier: MIT

#include "lease.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_DEFAULT_MS 2000
#define TTL_OF_RENEWALS  3

leased_worker_t *
leased_worker_hold (leased_worker_t *self)
{
    self->references++;
    return self;
}

void
leased_worker_release (leased_worker_t **self_p)
{
    leased_worker_t *self = take_ptr (*self_p);

    if (self && --self->references == 0) {
        json_object_put (self->json);
        free (self->subject);
        free (self);
    }
}

static const char *
text_or_empty (struct json_object *json, const char *key)
{
    const char *text = json_get_text (json, key);
    return text ? text : "";
}

//  Null when memory is out.
static leased_worker_t *
leased_worker_new (struct json_object *json)
{
    leased_worker_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->references = 1;
    self->json = json_object_get (json);
    self->worker = (collector_worker_t){
        .worker_id = text_or_empty (json, "worker_id"),
        .region = text_or_empty (json, "region"),
        .instance_id = text_or_empty (json, "instance_id"),
        .account_id = text_or_empty (json, "account_id"),
        .name = text_or_empty (json, "name"),
        .status = text_or_empty (json, "status"),
        .public_ip = text_or_empty (json, "public_ip"),
        .private_ip = text_or_empty (json, "private_ip"),
        .detailed_monitoring = FLAG_UNKNOWN,
        .tags = json_get_object (json, "tags"),
    };
    bool detailed;
    if (json_get_bool (json, "detailed_monitoring", &detailed)) {
        self->worker.detailed_monitoring = detailed ? FLAG_YES : FLAG_NO;
    }
    if (asprintf (&self->subject, "%s/%s", self->worker.region, self->worker.instance_id) < 0) {
        self->subject = NULL;
        leased_worker_release (&self);
        return NULL;
    }
    self->worker.subject = self->subject;
    return self;
}

void
lease_list_clear (lease_list_t *self)
{
    for (size_t i = 0; i < self->regions_count; i++) {
        free (self->regions [i]);
    }
    for (size_t i = 0; i < self->workers_count; i++) {
        leased_worker_release (&self->workers [i]);
    }
    free (self->regions);
    free (self->workers);
    *self = (lease_list_t){0};
}

static int
decode_regions (lease_list_t *self, struct json_object *array)
{
    size_t count = array ? json_object_array_length (array) : 0;

    self->regions = calloc (count + 1, sizeof (char *));
    for (size_t i = 0; self->regions && i < count; i++) {
        struct json_object *item = json_object_array_get_idx (array, i);
        if (!json_object_is_type (item, json_type_string)) {
            continue;
        }
        char *region = strdup (json_object_get_string (item));
        if (!region) {
            return -ENOMEM;
        }
        self->regions [self->regions_count++] = region;
    }
    return self->regions ? 0 : -ENOMEM;
}

static int
decode_workers (lease_list_t *self, struct json_object *array)
{
    size_t count = array ? json_object_array_length (array) : 0;

    self->workers = calloc (count + 1, sizeof (leased_worker_t *));
    for (size_t i = 0; self->workers && i < count; i++) {
        struct json_object *item = json_object_array_get_idx (array, i);
        const char *region = json_get_text (item, "region");
        const char *instance_id = json_get_text (item, "instance_id");
        if (!region || !*region || !instance_id || !*instance_id) {
            continue;
        }
        leased_worker_t *worker = leased_worker_new (item);
        if (!worker) {
            return -ENOMEM;
        }
        self->workers [self->workers_count++] = worker;
    }
    return self->workers ? 0 : -ENOMEM;
}

//  A time of the answer within bounds that make sense, else our own.
static int64_t
time_or (struct json_object *answer, const char *key, int64_t least, int64_t otherwise)
{
    int64_t ms;
    return json_get_integer (answer, key, &ms) && ms >= least && ms <= 600000 ? ms : otherwise;
}

//  More than fit are asked for with the next answer again, or lost.
static void
decode_resend (lease_list_t *self, struct json_object *ranges)
{
    size_t count = ranges ? json_object_array_length (ranges) : 0;

    for (size_t i = 0; i < count && self->resend_count < LEASE_RANGES_MAX; i++) {
        struct json_object *range = json_object_array_get_idx (ranges, i);
        int64_t from, to;
        if (json_get_integer (range, "from", &from) && json_get_integer (range, "to", &to) &&
            from > 0 && to >= from) {
            self->resend [self->resend_count++] = (lease_range_t){(uint64_t) from, (uint64_t) to};
        }
    }
}

int
lease_list_decode (lease_list_t *self, struct json_object *answer, reason_t *why)
{
    _cleanup_ (lease_list_clear) lease_list_t list = {0};
    const char *epoch = json_get_text (answer, "epoch");
    const char *revision = text_or_empty (answer, "revision");

    if (!epoch || strlen (epoch) >= sizeof list.epoch) {
        return reason_set (why, -EINVAL, "answer to lease: epoch is not 1 to %zu characters",
                           sizeof list.epoch - 1);
    }
    if (strlen (revision) >= sizeof list.revision) {
        return reason_set (why, -EINVAL, "answer to lease: revision is over %zu characters",
                           sizeof list.revision - 1);
    }
    strncpy (list.epoch, epoch, sizeof list.epoch - 1);
    strncpy (list.revision, revision, sizeof list.revision - 1);
    list.renew_ms = time_or (answer, "renew_ms", 50, RENEW_DEFAULT_MS);
    list.ttl_ms = time_or (answer, "ttl_ms", list.renew_ms, TTL_OF_RENEWALS * list.renew_ms);
    json_get_bool (answer, "unchanged", &list.unchanged);
    list.heard = -1;
    if (json_get_integer (answer, "heard", &list.heard) && list.heard < 0) {
        list.heard = -1;
    }
    json_get_bool (answer, "fresh", &list.fresh);
    decode_resend (&list, json_get_array (answer, "resend"));
    if (decode_regions (&list, json_get_array (answer, "regions")) < 0 ||
        decode_workers (&list, json_get_array (answer, "workers")) < 0) {
        return reason_set (why, -ENOMEM, "answer to lease: out of memory");
    }
    *self = list;
    list = (lease_list_t){0};
    return 0;
}

int
lease_list_configured (lease_list_t *self, const char *regions)
{
    _cleanup_ (lease_list_clear) lease_list_t list = {0};
    _cleanup_ (string_destroy) char *copy = strdup (regions);
    char *rest = NULL;

    list.regions = calloc (strlen (regions) + 1, sizeof (char *));
    if (!copy || !list.regions) {
        return -ENOMEM;
    }
    for (char *word = strtok_r (copy, ", ", &rest); word; word = strtok_r (NULL, ", ", &rest)) {
        char *region = strdup (word);
        if (!region) {
            return -ENOMEM;
        }
        list.regions [list.regions_count++] = region;
    }
    *self = list;
    list = (lease_list_t){0};
    return 0;
}
