// ec2_api.c - EC2 (2016-11-15): what instances are, how they fare, and the orders they take.
//
// Answers have the elements that real ones have and more than our collectors read, in
// other words than the SDKs use (ipAddress, reason, …), so that a reader by path is tested.
//
// SPDX-License-Identifier: MIT

#include "aws_call.h"

#include "../../common/cleanup.h"
#include "ec2_select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

//  --- DescribeInstances

static void
write_state (buffer_t *out, const char *tag, instance_state_t state)
{
    xml_open (out, tag);
    xml_integer (out, "code", instance_state_code (state));
    xml_text (out, "name", instance_state_name (state));
    xml_close (out, tag);
}

static void
write_tags (buffer_t *out, const instance_t *instance)
{
    ec2_tag_t tags [EC2_TAGS_MAX];
    size_t count = ec2_tags (instance, tags);

    xml_open (out, "tagSet");
    for (size_t i = 0; i < count; i++) {
        xml_open (out, "item");
        xml_text (out, "key", tags [i].key);
        xml_text (out, "value", tags [i].value);
        xml_close (out, "item");
    }
    xml_close (out, "tagSet");
}

//  Why it is not running: EC2 says it twice, once for machines and once for people.
static void
write_reason (buffer_t *out, const instance_t *instance)
{
    char at [CLOCK_TEXT_SIZE], text [80] = "";

    if (instance->state_reason && instance->stopped_wall != TIME_UNKNOWN) {
        snprintf (text, sizeof text, "User initiated (%.10s %.8s GMT)",
                  clock_format (at, instance->stopped_wall), at + 11);
    }
    xml_text (out, "reason", text);
    if (instance->state_reason) {
        buffer_text (out, "<stateReason>");
        xml_text (out, "code", instance->state_reason);
        buffer_format (out, "<message>%s: User initiated shutdown</message></stateReason>",
                       instance->state_reason);
    }
}

static void
write_network (buffer_t *out, const instance_t *instance)
{
    char dns [80] = "";

    xml_text (out, "privateIpAddress", instance->private_ip);
    if (instance_has_address (instance)) {
        snprintf (dns, sizeof dns, "ec2-%s.compute.example", instance->public_ip);
        xml_text (out, "ipAddress", instance->public_ip);
    }
    xml_text (out, "dnsName", dns);
    snprintf (dns, sizeof dns, "ip-%s.ec2.internal", instance->private_ip);
    xml_text (out, "privateDnsName", dns);
    //  Has addresses too: a reader must go by path, not by name.
    buffer_text (out, "<networkInterfaceSet><item><privateIpAddressesSet><item>"
                      "<privateIpAddress>10.255.255.254</privateIpAddress><primary>false</primary>"
                      "</item></privateIpAddressesSet><status>in-use</status></item>"
                      "</networkInterfaceSet>");
}

static void
write_instance (buffer_t *out, const world_t *world, const instance_t *instance)
{
    buffer_text (out, "<item>");
    xml_text (out, "instanceId", instance->id);
    xml_text (out, "imageId", instance->image->id);
    write_state (out, "instanceState", instance->state);
    write_reason (out, instance);
    buffer_text (out, "<keyName>cml</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>");
    xml_text (out, "instanceType", instance->type->name);
    xml_time (out, "launchTime", instance->launched_wall);
    buffer_text (out, "<placement>");
    xml_text (out, "availabilityZone", instance->zone);
    buffer_text (out, "<groupName/><tenancy>default</tenancy></placement><monitoring>");
    xml_text (out, "state", world_monitoring (world, instance));
    buffer_text (out, "</monitoring><groupSet/>");
    write_network (out, instance);
    buffer_text (out, "<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
                      "<blockDeviceMapping/>");
    write_tags (out, instance);
    buffer_text (out, "</item>");
}

static void
write_next_token (buffer_t *out, const ec2_selection_t *selection)
{
    if (selection->next_token [0]) {
        xml_text (out, "nextToken", selection->next_token);
    }
}

int
ec2_describe_instances (aws_call_t *call)
{
    const ec2_rules_t rules = {.scope = EC2_INSTANCES, .ids_max = EC2_IDS_MAX};
    _cleanup_ (ec2_selection_clear) ec2_selection_t selection = {0};

    int rc = ec2_select (call, &rules, &selection);
    if (rc < 0) {
        return rc;
    }
    xml_open (call->out, selection.count ? "reservationSet" : "reservationSet/");
    for (size_t i = 0; i < selection.count; i++) {
        const instance_t *instance = selection.instances [i];
        buffer_format (call->out,
                       "<item><reservationId>r-0%.16s</reservationId><ownerId>%s</ownerId>"
                       "<groupSet/><instancesSet>",
                       instance->id + 3, instance->account);
        write_instance (call->out, call->world, instance);
        buffer_text (call->out, "</instancesSet></item>");
    }
    if (selection.count) {
        xml_close (call->out, "reservationSet");
    }
    write_next_token (call->out, &selection);
    return 0;
}

//  --- DescribeInstanceStatus

static void
write_check (buffer_t *out, const char *tag, const world_t *world, const instance_t *instance,
             const check_t *check)
{
    const char *status = world_check (world, instance, check);
    bool impaired = strcmp (status, "impaired") == 0;
    const char *detail = impaired ? "failed" : strcmp (status, "ok") == 0 ? "passed" : status;

    xml_open (out, tag);
    xml_text (out, "status", status);
    if (instance->state == INSTANCE_RUNNING) {
        buffer_text (out, "<details><item><name>reachability</name>");
        xml_text (out, "status", detail);
        if (impaired) {
            xml_time (out, "impairedSince", check->since_wall);
        }
        buffer_text (out, "</item></details>");
    }
    xml_close (out, tag);
}

static void
write_status (buffer_t *out, const world_t *world, const instance_t *instance)
{
    static const check_t NEVER_IMPAIRED = {0};

    buffer_text (out, "<item>");
    xml_text (out, "instanceId", instance->id);
    xml_text (out, "availabilityZone", instance->zone);
    write_state (out, "instanceState", instance->state);
    write_check (out, "systemStatus", world, instance, &instance->system_check);
    write_check (out, "instanceStatus", world, instance, &instance->instance_check);
    write_check (out, "attachedEbsStatus", world, instance, &NEVER_IMPAIRED);
    buffer_text (out, "</item>");
}

int
ec2_describe_instance_status (aws_call_t *call)
{
    const ec2_rules_t rules = {.scope = EC2_STATUS,
                               .ids_max = 100,
                               .running_only = !form_is_true (call->form, "IncludeAllInstances")};
    _cleanup_ (ec2_selection_clear) ec2_selection_t selection = {0};

    int rc = ec2_select (call, &rules, &selection);
    if (rc < 0) {
        return rc;
    }
    xml_open (call->out, selection.count ? "instanceStatusSet" : "instanceStatusSet/");
    for (size_t i = 0; i < selection.count; i++) {
        write_status (call->out, call->world, selection.instances [i]);
    }
    if (selection.count) {
        xml_close (call->out, "instanceStatusSet");
    }
    write_next_token (call->out, &selection);
    return 0;
}

//  --- DescribeImages

static void
write_image (buffer_t *out, const image_t *image)
{
    buffer_text (out, "<item>");
    //  -fanalyzer: each id was found a moment ago
    xml_text (out, "imageId", image->id);
    buffer_text (out, "<imageLocation>" KEY_ACCOUNT "/");
    xml_escape (out, image->name);
    buffer_text (out, "</imageLocation><imageState>available</imageState><imageOwnerId>" KEY_ACCOUNT
                      "</imageOwnerId>");
    xml_text (out, "creationDate", image->created);
    buffer_text (out, "<isPublic>false</isPublic><architecture>x86_64</architecture>"
                      "<imageType>machine</imageType>");
    xml_text (out, "name", image->name);
    xml_text (out, "description", image->description);
    buffer_text (out, "<rootDeviceType>ebs</rootDeviceType></item>");
}

static const image_t *
find_image (const char *id)
{
    for (const image_t *image = IMAGES; image->id; image++) {
        if (strcmp (image->id, id) == 0) {
            return image;
        }
    }
    return NULL;
}

int
ec2_describe_images (aws_call_t *call)
{
    const char *id;
    bool any = !form_get (call->form, "ImageId.1");

    for (size_t i = 1; (id = form_get (call->form, "ImageId.%zu", i)); i++) {
        if (strncmp (id, "ami-", 4) != 0) {
            return aws_refuse (call, 400, "InvalidAMIID.Malformed", "Invalid id: \"%s\"", id);
        }
        if (!find_image (id)) {
            return aws_refuse (call, 400, "InvalidAMIID.NotFound",
                               "The image id '[%s]' does not exist", id);
        }
    }
    xml_open (call->out, "imagesSet");
    for (const image_t *image = IMAGES; any && image->id; image++) {
        write_image (call->out, image);
    }
    for (size_t i = 1; (id = form_get (call->form, "ImageId.%zu", i)); i++) {
        write_image (call->out, find_image (id));
    }
    xml_close (call->out, "imagesSet");
    return 0;
}

//  --- orders

typedef int order_fn (aws_call_t *call, instance_t *instance);

//  All are looked up, and the order tried on each, before the answer is written: one wrong
//  id fails the whole call.
static int
order_each (aws_call_t *call, order_fn *order)
{
    const char *id;

    for (size_t i = 1; (id = form_get (call->form, "InstanceId.%zu", i)); i++) {
        if (!ec2_find (call, id)) {
            return -EINVAL;
        }
    }
    if (!form_get (call->form, "InstanceId.1")) {
        return aws_refuse (call, 400, "MissingParameter",
                           "The request must contain the parameter InstanceId");
    }
    xml_open (call->out, "instancesSet");
    for (size_t i = 1; (id = form_get (call->form, "InstanceId.%zu", i)); i++) {
        xml_open (call->out, "item");
        xml_text (call->out, "instanceId", id);
        int rc = order (call, ec2_find (call, id));
        if (rc < 0) {
            return rc;
        }
        xml_close (call->out, "item");
    }
    xml_close (call->out, "instancesSet");
    return 0;
}

static int
order_state (aws_call_t *call, instance_t *instance, world_order_t order, const char *verb)
{
    instance_state_t before = instance->state;

    if (world_order (call->world, instance, order) < 0) {
        return aws_refuse (call, 400, "IncorrectInstanceState",
                           "The instance '%s' is not in a state from which it can be %s.",
                           instance->id, verb);
    }
    write_state (call->out, "currentState", instance->state);
    write_state (call->out, "previousState", before);
    return 0;
}

static int
order_start (aws_call_t *call, instance_t *instance)
{
    return order_state (call, instance, WORLD_START, "started");
}

static int
order_stop (aws_call_t *call, instance_t *instance)
{
    return order_state (call, instance, WORLD_STOP, "stopped");
}

static int
order_monitoring (aws_call_t *call, instance_t *instance, bool detailed)
{
    world_monitor (call->world, instance, detailed);
    xml_open (call->out, "monitoring");
    xml_text (call->out, "state", world_monitoring (call->world, instance));
    xml_close (call->out, "monitoring");
    return 0;
}

static int
order_monitor (aws_call_t *call, instance_t *instance)
{
    return order_monitoring (call, instance, true);
}

static int
order_unmonitor (aws_call_t *call, instance_t *instance)
{
    return order_monitoring (call, instance, false);
}

int
ec2_start_instances (aws_call_t *call)
{
    return order_each (call, order_start);
}

int
ec2_stop_instances (aws_call_t *call)
{
    return order_each (call, order_stop);
}

int
ec2_monitor_instances (aws_call_t *call)
{
    return order_each (call, order_monitor);
}

int
ec2_unmonitor_instances (aws_call_t *call)
{
    return order_each (call, order_unmonitor);
}
