// SPDX-License-Identifier: MIT

#include "ec2_listing.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX      64  //  AWS allows 50
#define TAG_KEY_MAX   256
#define TAG_VALUE_MAX 1024

static void
instance_clear (ec2_instance_t *self)
{
    char **const texts [] = {&self->instance_id,       &self->name,
                             &self->instance_type,     &self->state,
                             &self->state_reason,      &self->reason,
                             &self->image_id,          &self->launch_time,
                             &self->availability_zone, &self->public_ip,
                             &self->private_ip,        &self->monitoring,
                             &self->system_status,     &self->instance_status,
                             &self->account_id};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        string_destroy (texts [i]);
    }
    json_destroy (&self->tags);
    *self = (ec2_instance_t){.observed = TIME_UNKNOWN};
}

void
ec2_listing_clear (ec2_listing_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        instance_clear (&self->rows [i]);
    }
    instance_clear (&self->row);
    string_destroy (&self->owner_id);
    string_destroy (&self->tag_key);
    string_destroy (&self->tag_value);
    zhashx_destroy (&self->index);
    free (self->rows);
    *self = (ec2_listing_t){0};
}

//  Cut to size - 1 bytes, never within a character of UTF-8.
static char *
clipped (const char *text, size_t size)
{
    size_t length = strlen (text);

    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char) text [length] & 0xc0) == 0x80) {
            length--;
        }
    }
    return strndup (text, length);
}

//  Puts a text into a member of the row that is being read; an empty one is not there.
static int
take_text (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    char **member = (char **) (void *) ((char *) &self->row + rule->offset);

    if (!*text) {
        return 0;
    }
    free (*member);
    *member = clipped (text, rule->size);
    return *member ? 0 : -ENOMEM;
}

static int
begin_row (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule, (void) text;

    instance_clear (&self->row);
    return 0;
}

static int
make_room (ec2_listing_t *self)
{
    if (self->count < self->capacity) {
        return 0;
    }
    if (self->count >= EC2_INSTANCES_MAX) {
        return -E2BIG;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 64;
    ec2_instance_t *rows = realloc (self->rows, capacity * sizeof *rows);
    if (!rows) {
        return -ENOMEM;
    }
    self->rows = rows;
    self->capacity = capacity;
    return 0;
}

static int
take_owner (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;

    free (self->owner_id);
    self->owner_id = clipped (text, rule->size);
    return self->owner_id ? 0 : -ENOMEM;
}

//  An item without an id is nothing we could name.
static int
end_instance (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule, (void) text;

    if (!self->row.instance_id) {
        return 0;
    }
    if (self->owner_id && *self->owner_id && !(self->row.account_id = strdup (self->owner_id))) {
        return -ENOMEM;
    }
    int rc = make_room (self);
    if (rc == 0) {
        self->rows [self->count++] = self->row;
        self->row = (ec2_instance_t){.observed = TIME_UNKNOWN};
    }
    return rc;
}

static int
begin_tag (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule, (void) text;

    string_destroy (&self->tag_key);
    string_destroy (&self->tag_value);
    return 0;
}

static int
take_tag_key (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule;

    free (self->tag_key);
    self->tag_key = clipped (text, TAG_KEY_MAX);
    return self->tag_key ? 0 : -ENOMEM;
}

static int
take_tag_value (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule;

    free (self->tag_value);
    self->tag_value = clipped (text, TAG_VALUE_MAX);
    return self->tag_value ? 0 : -ENOMEM;
}

//  Key and value may come in either order, so the tag is made at its end.
static int
end_tag (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule, (void) text;
    const char *value = self->tag_value ? self->tag_value : "";

    if (!self->tag_key || !*self->tag_key) {
        return 0;
    }
    if (!self->row.tags && !(self->row.tags = json_object_new_object ())) {
        return -ENOMEM;
    }
    if (json_object_object_length (self->row.tags) < TAGS_MAX) {
        json_object_object_add (self->row.tags, self->tag_key, json_object_new_string (value));
    }
    if (strcmp (self->tag_key, "Name") == 0 && *value) {
        free (self->row.name);
        self->row.name = clipped (value, 256);
    }
    return 0;
}

//  The statuses go to the row of their instance; one that was not listed is passed over.
static int
end_status (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_listing_t *self = argument;
    (void) rule, (void) text;
    ec2_instance_t *row =
        self->row.instance_id ? zhashx_lookup (self->index, self->row.instance_id) : NULL;

    if (row) {
        free (row->system_status);
        free (row->instance_status);
        row->system_status = take_ptr (self->row.system_status);
        row->instance_status = take_ptr (self->row.instance_status);
    }
    return 0;
}

#define ITEM "reservationSet/item/instancesSet/item"
#define TEXT(path_, member, bound)                                                       \
    {                                                                                    \
        .path = path_, .at_end = take_text, .offset = offsetof (ec2_instance_t, member), \
        .size = bound                                                                    \
    }

// clang-format off
const xml_rule_t EC2_INSTANCES_RULES [] = {
    {.path = "reservationSet/item/ownerId", .at_end = take_owner, .size = 32},
    {.path = ITEM, .at_start = begin_row, .at_end = end_instance},
    TEXT (ITEM "/instanceId",                 instance_id,       64),
    TEXT (ITEM "/imageId",                    image_id,          64),
    TEXT (ITEM "/instanceState/name",         state,             32),
    TEXT (ITEM "/instanceType",               instance_type,     64),
    TEXT (ITEM "/launchTime",                 launch_time,       64),
    TEXT (ITEM "/placement/availabilityZone", availability_zone, 64),
    TEXT (ITEM "/monitoring/state",           monitoring,        32),
    TEXT (ITEM "/privateIpAddress",           private_ip,        64),
    TEXT (ITEM "/ipAddress",                  public_ip,         64),
    TEXT (ITEM "/reason",                     reason,            512),
    TEXT (ITEM "/stateReason/message",        state_reason,      512),
    {.path = ITEM "/tagSet/item", .at_start = begin_tag, .at_end = end_tag},
    {.path = ITEM "/tagSet/item/key",   .at_end = take_tag_key},
    {.path = ITEM "/tagSet/item/value", .at_end = take_tag_value},
    {0},
};
#undef ITEM

#define ITEM "instanceStatusSet/item"
const xml_rule_t EC2_STATUS_RULES [] = {
    {.path = ITEM, .at_start = begin_row, .at_end = end_status},
    TEXT (ITEM "/instanceId",            instance_id,     64),
    TEXT (ITEM "/systemStatus/status",   system_status,   32),
    TEXT (ITEM "/instanceStatus/status", instance_status, 32),
    {0},
};
#undef ITEM
// clang-format on

void
ec2_listing_stamp (void *target, time_us_t received_wall)
{
    ec2_listing_t *self = target;

    for (; self->stamped < self->count; self->stamped++) {
        self->rows [self->stamped].observed = received_wall;
    }
}

int
ec2_listing_index (ec2_listing_t *self)
{
    self->index = zhashx_new ();
    for (size_t i = 0; self->index && i < self->count; i++) {
        zhashx_update (self->index, self->rows [i].instance_id, &self->rows [i]);
    }
    return self->index ? 0 : -ENOMEM;
}

void
ec2_instance_observe (const ec2_instance_t *self, instance_observed_t *out)
{
    out->instance_id = self->instance_id;
    out->account_id = self->account_id;
    out->name = self->name;
    out->instance_type = self->instance_type;
    out->state = self->state;
    out->state_reason = self->state_reason ? self->state_reason : self->reason;
    out->image_id = self->image_id;
    if (!self->launch_time || clock_parse (self->launch_time, &out->launch_time) < 0) {
        out->launch_time = TIME_UNKNOWN;
    }
    out->availability_zone = self->availability_zone;
    out->public_ip = self->public_ip;
    out->private_ip = self->private_ip;
    if (self->monitoring) {
        out->detailed_monitoring = strcmp (self->monitoring, "enabled") == 0 ? FLAG_YES : FLAG_NO;
    }
    out->tags.tree = self->tags;
    out->system_status = self->system_status;
    out->instance_status = self->instance_status;
}
