// SPDX-License-Identifier: MIT

#include "ec2_select.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_LEAST     5
#define PAGE_MOST      1000
#define PAGE_UNLIMITED INSTANCES_MAX
#define FILTERS_MAX    50
#define VALUES_MAX     200

bool
ec2_fits (const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        bool literal = *pattern == '\\' && pattern [1];
        char wanted = literal ? pattern [1] : *pattern;
        if (!literal && wanted == '*') {
            star = ++pattern;
            resume = text;
        } else if (wanted && (wanted == *text || (!literal && wanted == '?'))) {
            pattern += literal ? 2 : 1;
            text++;
        } else if (star) {  //  the last star takes one character more
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

size_t
ec2_tags (const instance_t *instance, ec2_tag_t tags [EC2_TAGS_MAX])
{
    static const char *const TEAMS [] = {"network-academy", "certification & exams",
                                         "solutions \"north\"", "field <emea>"};
    size_t count = 0;

    tags [count++] = (ec2_tag_t){"Name", instance->name};
    tags [count++] = (ec2_tag_t){"ManagedBy", "CML-Cloud-Manager"};
    tags [count++] = (ec2_tag_t){"Application", "cml"};
    tags [count++] = (ec2_tag_t){"Team", TEAMS [instance->slot % 4]};
    tags [count++] = (ec2_tag_t){"Environment", instance->slot % 3 ? "production" : "staging"};
    if (instance->cml_port [0]) {
        tags [count++] = (ec2_tag_t){"cml-port", instance->cml_port};
    }
    if (instance->agent == AGENT_GROUP) {
        tags [count++] = (ec2_tag_t){"aws:autoscaling:groupName", instance->group};
    }
    return count;
}

//  --- filters

typedef const char *text_fn (const world_t *world, const instance_t *instance);

static const char *
state_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance_state_name (instance->state);
}

static const char *
image_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance->image->id;
}

static const char *
id_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance->id;
}

static const char *
type_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance->type->name;
}

static const char *
zone_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance->zone;
}

static const char *
private_ip_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance->private_ip;
}

static const char *
public_ip_of (const world_t *world, const instance_t *instance)
{
    (void) world;
    return instance_has_address (instance) ? instance->public_ip : "";
}

static const char *
system_status_of (const world_t *world, const instance_t *instance)
{
    return world_check (world, instance, &instance->system_check);
}

static const char *
instance_status_of (const world_t *world, const instance_t *instance)
{
    return world_check (world, instance, &instance->instance_check);
}

// clang-format off
static const struct {
    const char *name;
    text_fn *text;
    unsigned scopes;
} FILTERS [] = {
    {"instance-state-name",    state_of,           EC2_INSTANCES | EC2_STATUS},
    {"image-id",               image_of,           EC2_INSTANCES},
    {"instance-id",            id_of,              EC2_INSTANCES},
    {"instance-type",          type_of,            EC2_INSTANCES},
    {"availability-zone",      zone_of,            EC2_INSTANCES | EC2_STATUS},
    {"private-ip-address",     private_ip_of,      EC2_INSTANCES},
    {"ip-address",             public_ip_of,       EC2_INSTANCES},
    {"system-status.status",   system_status_of,   EC2_STATUS},
    {"instance-status.status", instance_status_of, EC2_STATUS},
};
// clang-format on

typedef struct filter {
    const char *tag;  //  key of `tag:<key>`; "" for tag-key; null for one of the table
    text_fn *text;
    const char *values [VALUES_MAX];
    size_t value_count;
} filter_t;

typedef struct filter_list {
    filter_t filters [FILTERS_MAX];
    size_t count;
} filter_list_t;

static int
name_filter (aws_call_t *call, filter_t *filter, const char *name, ec2_scope_t scope)
{
    if (scope == EC2_INSTANCES && strncmp (name, "tag:", 4) == 0) {
        filter->tag = name + 4;
        return 0;
    }
    if (scope == EC2_INSTANCES && strcmp (name, "tag-key") == 0) {
        filter->tag = "";
        return 0;
    }
    for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS [0]; i++) {
        if (strcmp (FILTERS [i].name, name) == 0 && (FILTERS [i].scopes & scope)) {
            filter->text = FILTERS [i].text;
            return 0;
        }
    }
    return aws_refuse (call, 400, "InvalidParameterValue", "The filter '%s' is invalid", name);
}

static int
read_filters (aws_call_t *call, ec2_scope_t scope, filter_list_t *list)
{
    const char *name, *value;

    while ((name = form_get (call->form, "Filter.%zu.Name", list->count + 1))) {
        if (list->count == FILTERS_MAX) {
            return aws_refuse (call, 400, "FilterLimitExceeded", "at most %d filters", FILTERS_MAX);
        }
        filter_t *filter = &list->filters [list->count++];
        int rc = name_filter (call, filter, name, scope);
        if (rc < 0) {
            return rc;
        }
        while ((value = form_get (call->form, "Filter.%zu.Value.%zu", list->count,
                                  filter->value_count + 1))) {
            if (filter->value_count == VALUES_MAX) {
                return aws_refuse (call, 400, "FilterLimitExceeded",
                                   "The maximum number of filter values specified on a single "
                                   "call is %d",
                                   VALUES_MAX);
            }
            filter->values [filter->value_count++] = value;
        }
        if (filter->value_count == 0) {
            return aws_refuse (call, 400, "InvalidParameterValue", "The filter '%s' has no values",
                               name);
        }
    }
    return 0;
}

static bool
value_fits (const filter_t *filter, const char *text)
{
    for (size_t i = 0; i < filter->value_count; i++) {
        if (ec2_fits (filter->values [i], text)) {
            return true;
        }
    }
    return false;
}

static bool
tags_fit (const filter_t *filter, const instance_t *instance)
{
    ec2_tag_t tags [EC2_TAGS_MAX];
    size_t count = ec2_tags (instance, tags);

    for (size_t i = 0; i < count; i++) {
        bool any_key = filter->tag [0] == '\0';
        if (any_key
                ? value_fits (filter, tags [i].key)
                : strcmp (filter->tag, tags [i].key) == 0 && value_fits (filter, tags [i].value)) {
            return true;
        }
    }
    return false;
}

static bool
passes (const aws_call_t *call, const filter_list_t *list, const instance_t *instance)
{
    for (size_t i = 0; i < list->count; i++) {
        const filter_t *filter = &list->filters [i];
        if (!(filter->tag ? tags_fit (filter, instance)
                          : value_fits (filter, filter->text (call->world, instance)))) {
            return false;
        }
    }
    return true;
}

//  --- ids

static bool
is_id (const char *text)
{
    size_t digits = strspn (text + (strncmp (text, "i-", 2) == 0 ? 2 : 0), "0123456789abcdef");

    return strncmp (text, "i-", 2) == 0 && text [2 + digits] == '\0' &&
           (digits == 8 || digits == 17);
}

instance_t *
ec2_find (aws_call_t *call, const char *id)
{
    if (!is_id (id)) {
        aws_refuse (call, 400, "InvalidInstanceID.Malformed", "Invalid id: \"%s\"", id);
        return NULL;
    }
    instance_t *instance = world_find (call->world, id);
    if (!instance || !aws_sees (call, instance)) {
        aws_refuse (call, 400, "InvalidInstanceID.NotFound", "The instance ID '%s' does not exist",
                    id);
        return NULL;
    }
    return instance;
}

static int
select_ids (aws_call_t *call, const ec2_rules_t *rules, const filter_list_t *filters,
            ec2_selection_t *selection)
{
    const char *id;

    if (form_get (call->form, "MaxResults")) {
        return aws_refuse (call, 400, "InvalidParameterCombination",
                           "The parameter instancesSet cannot be used with the parameter "
                           "maxResults");
    }
    for (size_t i = 1; (id = form_get (call->form, "InstanceId.%zu", i)); i++) {
        if (i > rules->ids_max) {
            return aws_refuse (call, 400, "InvalidParameterValue",
                               "Too many instance ids: at most %zu", rules->ids_max);
        }
        const instance_t *instance = ec2_find (call, id);
        if (!instance) {
            return -EINVAL;
        }
        if ((!rules->running_only || instance->state == INSTANCE_RUNNING) &&
            passes (call, filters, instance)) {
            selection->instances [selection->count++] = instance;
        }
    }
    return 0;
}

//  --- pages

static int
read_token (aws_call_t *call, size_t *slot)
{
    const char *token = form_get (call->form, "NextToken");
    uint64_t print;
    char end;

    if (!token || !*token) {
        return 0;
    }
    if (sscanf (token, "%zx.%" SCNx64 "%c", slot, &print, &end) != 2 ||
        print != form_fingerprint (call->form, "NextToken")) {
        return aws_refuse (call, 400, "InvalidPaginationToken",
                           "The pagination token is invalid: it is of another request.");
    }
    return 0;
}

static int
select_page (aws_call_t *call, const ec2_rules_t *rules, const filter_list_t *filters,
             ec2_selection_t *selection)
{
    int64_t most;
    size_t slot = 0;
    reason_t why;

    if (form_integer (call->form, "MaxResults", PAGE_LEAST, PAGE_MOST, PAGE_UNLIMITED, &most,
                      &why) < 0) {
        return aws_refuse (call, 400, "InvalidParameterValue", "%s", why.text);
    }
    if (read_token (call, &slot) < 0) {
        return -EINVAL;
    }
    for (; slot < world_slots (call->world); slot++) {
        const instance_t *instance = world_at (call->world, slot);
        if (!instance || !aws_sees (call, instance) ||
            (rules->running_only && instance->state != INSTANCE_RUNNING) ||
            !passes (call, filters, instance)) {
            continue;
        }
        if ((int64_t) selection->count == most) {
            snprintf (selection->next_token, sizeof selection->next_token, "%zx.%016" PRIx64, slot,
                      form_fingerprint (call->form, "NextToken"));
            break;
        }
        selection->instances [selection->count++] = instance;
    }
    return 0;
}

int
ec2_select (aws_call_t *call, const ec2_rules_t *rules, ec2_selection_t *selection)
{
    filter_list_t *filters = calloc (1, sizeof *filters);  //  too large for the stack

    *selection = (ec2_selection_t){0};
    selection->instances = calloc (world_slots (call->world) + EC2_IDS_MAX, sizeof (void *));
    if (!filters || !selection->instances) {
        free (filters);
        return aws_refuse (call, 500, "InternalError", "out of memory");
    }
    int rc = read_filters (call, rules->scope, filters);
    if (rc == 0) {
        rc = form_get (call->form, "InstanceId.1") ? select_ids (call, rules, filters, selection)
                                                   : select_page (call, rules, filters, selection);
    }
    free (filters);
    return rc;
}

void
ec2_selection_clear (ec2_selection_t *self)
{
    free (self->instances);
    *self = (ec2_selection_t){0};
}
