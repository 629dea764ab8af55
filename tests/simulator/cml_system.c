// cml_system.c - what a simulated CML says of itself: version, load, health, licence.
//
// SPDX-License-Identifier: MIT

#include "cml_call.h"

#include "labs.h"
#include "vitals.h"

#include <string.h>

#define GIB            (1024.0 * 1024 * 1024)
#define CPUS_OF_NODE   2
#define MEMORY_OF_NODE (4.0 * GIB)
#define DAY_US         (24 * HOUR_US)

static void
compute_id (const cml_call_t *call, char id [NOISE_UUID_SIZE])
{
    noise_uuid (id, noise_key (call->instance->key, 0xc0));
}

void
cml_system_information (cml_call_t *call)
{
    json_writer_t *json = &call->json;

    json_open_object (json);
    json_member_text (json, "version", call->instance->image->cml_version);
    json_member_bool (json, "ready", world_cml_ready (call->parts->world, call->instance));
    json_member_bool (json, "allow_ssh_pubkey_auth", false);
    json_member_text (json, "oui", "52:54:00:00:00:00");
    json_close_object (json);
}

//  --- /system_stats

//  Whole bytes, so that used and free add up to total.
static void
write_usage (json_writer_t *json, const char *key, double total, double percent)
{
    int64_t all = (int64_t) total, used = (int64_t) (total * percent / 100);

    json_key (json, key);
    json_open_object (json);
    json_member_integer (json, "used", used);
    json_member_integer (json, "free", all - used);
    json_member_integer (json, "total", all);
    json_close_object (json);
}

static void
write_cpu (json_writer_t *json, const instance_t *instance, double percent)
{
    double load = percent / 100 * (double) instance->type->cpus;

    json_key (json, "cpu");
    json_open_object (json);
    json_member_integer (json, "count", instance->type->cpus);
    json_member_number (json, "percent", percent);
    json_member_text (json, "model", instance->type->cpu_model);
    json_member_integer (json, "predicted", 0);
    json_key (json, "load");
    json_open_array (json);
    json_put_number (json, load);
    json_put_number (json, load * 0.9);
    json_put_number (json, load * 0.8);
    json_close_array (json);
    json_close_object (json);
}

static void
write_dominfo (json_writer_t *json, const instance_t *instance)
{
    int64_t running = labs_nodes (&instance->cml, true);

    json_key (json, "dominfo");
    json_open_object (json);
    json_member_integer (json, "allocated_cpus", running * CPUS_OF_NODE);
    json_member_integer (json, "allocated_memory", (int64_t) ((double) running * MEMORY_OF_NODE));
    json_member_integer (json, "total_nodes", labs_nodes (&instance->cml, false));
    json_member_integer (json, "total_orphans", 0);
    json_member_integer (json, "running_nodes", running);
    json_member_integer (json, "running_orphans", 0);
    json_close_object (json);
}

typedef struct usage {
    double cpu, memory, disk;  //  percent
    double memory_bytes, disk_bytes;
} usage_t;

static void
write_compute (cml_call_t *call, const usage_t *usage)
{
    json_writer_t *json = &call->json;
    char id [NOISE_UUID_SIZE];

    compute_id (call, id);
    json_key (json, "computes");
    json_open_object (json);
    json_key (json, id);
    json_open_object (json);
    json_member_text (json, "hostname", "cml-controller");
    json_member_bool (json, "is_controller", true);
    json_key (json, "stats");
    json_open_object (json);
    write_cpu (json, call->instance, usage->cpu);
    write_usage (json, "memory", usage->memory_bytes, usage->memory);
    write_usage (json, "disk", usage->disk_bytes, usage->disk);
    write_dominfo (json, call->instance);
    json_close_object (json);
    json_close_object (json);
    json_close_object (json);
}

void
cml_system_stats (cml_call_t *call)
{
    json_writer_t *json = &call->json;
    const instance_t *instance = call->instance;
    time_us_t now = world_elapsed (call->parts->world);
    const usage_t usage = {.cpu = vitals_cml_cpu (call->parts->world, instance),
                           .memory = vitals_memory (instance, now),
                           .disk = vitals_disk (instance, now),
                           .memory_bytes = (double) instance->type->memory_gib * GIB,
                           .disk_bytes = (double) instance->type->disk_gib * GIB};

    json_open_object (json);
    write_compute (call, &usage);
    json_key (json, "all");
    json_open_object (json);
    json_key (json, "cpu");
    json_open_object (json);
    json_member_integer (json, "count", instance->type->cpus);
    json_member_number (json, "percent", usage.cpu);
    json_close_object (json);
    write_usage (json, "memory", usage.memory_bytes, usage.memory);
    write_usage (json, "disk", usage.disk_bytes, usage.disk);
    json_close_object (json);
    json_key (json, "controller");
    json_open_object (json);
    write_usage (json, "disk", usage.disk_bytes, usage.disk);
    json_close_object (json);
    json_close_object (json);
}

//  --- /system_health

static void
write_flag (json_writer_t *json, const char *key, flag_t flag)
{
    json_key (json, key);
    json_put_flag (json, flag);
}

//  What a CML that still comes up has not found out yet is null.
static void
write_compute_health (cml_call_t *call, bool ready)
{
    static const char *const CHECKS [] = {
        "lld_synced",  "libvirt", "fabric", "device_mux", "refplat_images_available",
        "docker_shim", "valid"};
    json_writer_t *json = &call->json;
    char id [NOISE_UUID_SIZE];

    compute_id (call, id);
    json_key (json, id);
    json_open_object (json);
    json_member_bool (json, "kvm_vmx_enabled", true);
    json_member_bool (json, "enough_cpus", true);
    json_member_bool (json, "lld_connected", ready);
    for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS [0]; i++) {
        write_flag (json, CHECKS [i], ready ? FLAG_YES : FLAG_UNKNOWN);
    }
    json_member_text (json, "admission_state", ready ? "READY" : "REGISTERED");
    json_member_bool (json, "is_controller", true);
    json_member_text (json, "hostname", "cml-controller");
    json_close_object (json);
}

typedef struct licence {
    const char *registration, *authorization, *active;
    bool is_enterprise, holds;
} licence_t;

//  Most are registered; a few show each of the other ways.
static const licence_t *
licence (const instance_t *instance)
{
    static const licence_t LICENCES [] = {
        {"COMPLETED", "IN_COMPLIANCE", "CML_Enterprise", true, true},
        {"NOT_REGISTERED", "EVAL_MODE", "CML_Personal", false, true},
        {"COMPLETED", "OUT_OF_COMPLIANCE", "CML_Education", true, false},
        {"NOT_REGISTERED", "NOT_AUTHORIZED", "CML_Personal", false, false},
    };
    size_t tenth = instance->slot % 10;

    return &LICENCES [tenth < 7 ? 0 : tenth - 6];
}

void
cml_system_health (cml_call_t *call)
{
    json_writer_t *json = &call->json;
    bool ready = world_cml_ready (call->parts->world, call->instance);

    json_open_object (json);
    write_flag (json, "valid", ready ? FLAG_YES : FLAG_UNKNOWN);
    json_key (json, "computes");
    json_open_object (json);
    write_compute_health (call, ready);
    json_close_object (json);
    json_member_bool (json, "is_licensed", licence (call->instance)->holds);
    json_member_bool (json, "is_enterprise", licence (call->instance)->is_enterprise);
    json_key (json, "controller");
    json_open_object (json);
    json_member_bool (json, "core_connected", true);
    json_member_bool (json, "nodes_loaded", ready);
    json_member_bool (json, "images_loaded", ready);
    json_member_bool (json, "valid", ready);
    json_close_object (json);
    json_close_object (json);
}

//  --- /licensing

static void
write_attempt (cml_call_t *call, const char *key, time_us_t wall, const char *status)
{
    json_writer_t *json = &call->json;

    json_key (json, key);
    json_open_object (json);
    cml_put_time (call, "succeeded", wall);
    cml_put_time (call, "attempted", wall);
    json_key (json, "scheduled");
    json_put_null (json);
    json_member_text (json, "status", status);
    json_member_text (json, "failure", NULL);
    json_member_text (json, "success", status);
    json_close_object (json);
}

static void
write_registration (cml_call_t *call, const licence_t *own, time_us_t wall)
{
    json_writer_t *json = &call->json;
    bool registered = strcmp (own->registration, "COMPLETED") == 0;

    json_key (json, "registration");
    json_open_object (json);
    json_member_text (json, "status", own->registration);
    json_member_text (json, "smart_account", registered ? "Example Academy & Sons" : NULL);
    json_member_text (json, "virtual_account", registered ? "CML" : NULL);
    write_attempt (call, "register_time", registered ? wall - 30 * DAY_US : TIME_UNKNOWN,
                   registered ? "SUCCEEDED" : NULL);
    write_attempt (call, "renew_time", TIME_UNKNOWN, NULL);
    cml_put_time (call, "expires", registered ? wall + 335 * DAY_US : TIME_UNKNOWN);
    json_close_object (json);
    json_key (json, "authorization");
    json_open_object (json);
    json_member_text (json, "status", own->authorization);
    write_attempt (call, "renew_time", registered ? wall - DAY_US : TIME_UNKNOWN,
                   registered ? "SUCCEEDED" : NULL);
    cml_put_time (call, "expires", wall + 60 * DAY_US);
    json_close_object (json);
}

static void
write_feature (json_writer_t *json, const licence_t *own)
{
    json_key (json, "features");
    json_open_array (json);
    json_open_object (json);
    json_member_text (json, "id", "regid.2019-10.com.cisco.CML_ENT_BASE,1.0_2607650b");
    json_member_text (json, "name", own->active);
    json_member_text (json, "description", "Cisco Modeling Labs");
    json_member_text (json, "version", "1.0");
    json_member_integer (json, "in_use", 1);
    json_member_text (json, "status", own->authorization);
    json_member_integer (json, "min", 1);
    json_member_integer (json, "max", 1);
    json_close_object (json);
    json_close_array (json);
}

static void
write_transport (json_writer_t *json)
{
    json_key (json, "transport");
    json_open_object (json);
    json_key (json, "proxy");
    json_open_object (json);
    json_member_text (json, "server", NULL);
    json_key (json, "port");
    json_put_null (json);
    json_close_object (json);
    json_member_text (json, "ssms", "https://smartreceiver.cisco.com/licservice/license");
    json_member_text (json, "default_ssms", "https://smartreceiver.cisco.com/licservice/license");
    json_close_object (json);
}

void
cml_licensing (cml_call_t *call)
{
    json_writer_t *json = &call->json;
    const licence_t *own = licence (call->instance);
    time_us_t wall = call->instance->launched_wall;
    char id [NOISE_UUID_SIZE];

    noise_uuid (id, noise_key (call->instance->key, 0x11c));
    json_open_object (json);
    json_key (json, "udi");
    json_open_object (json);
    json_member_text (json, "hostname", "cml-controller");
    json_member_text (json, "product_uuid", id);
    json_close_object (json);
    write_registration (call, own, wall);
    json_member_bool (json, "reservation_mode", false);
    write_feature (json, own);
    json_key (json, "product_license");
    json_open_object (json);
    json_member_text (json, "active", own->active);
    json_member_bool (json, "is_enterprise", own->is_enterprise);
    json_close_object (json);
    write_transport (json);
    json_close_object (json);
}
