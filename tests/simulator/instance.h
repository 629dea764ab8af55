// instance.h - one simulated EC2 instance and the CML that runs on it, as plain facts.
//
// Who it is follows from its slot and serial number (and the seed); what it does is changed
// by world.c only. Times called elapsed are microseconds of the scenario's clock, which
// --speed makes faster; times called wall are real ones, as the APIs tell them.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_INSTANCE_H
#define SIMULATOR_INSTANCE_H

#include "../../common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum instance_state {
    INSTANCE_PENDING,
    INSTANCE_RUNNING,
    INSTANCE_SHUTTING_DOWN,
    INSTANCE_TERMINATED,
    INSTANCE_STOPPING,
    INSTANCE_STOPPED,
    INSTANCE_STATE_COUNT
} instance_state_t;

const char *instance_state_name (instance_state_t state);  //  as EC2 writes it
int instance_state_code (instance_state_t state);          //  16 for running

//  INSTANCE_STATE_COUNT for another word.
instance_state_t instance_state_parse (const char *word);

typedef struct instance_type {
    const char *name, *cpu_model;
    int64_t cpus, memory_gib, disk_gib;
} instance_type_t;

typedef struct image {
    const char *id, *name, *description, *created, *cml_version;
} image_t;

extern const image_t IMAGES [];  //  ends with a null id

//  What the CloudWatch agent on it was configured to say; see measure.c.
typedef enum agent {
    AGENT_NONE,
    AGENT_PLAIN,       //  append_dimensions ImageId, InstanceId, InstanceType
    AGENT_GROUP,       //  the same and AutoScalingGroupName
    AGENT_AGGREGATED,  //  the same as plain, and a copy by InstanceId alone
    AGENT_NO_DEVICE    //  the same as plain, disk without device (drop_device)
} agent_t;

#define LABS_MAX       24
#define ACTIVITIES_MAX 256  //  the last so many of the telemetry log
#define LAB_TITLE_SIZE 65   //  64 characters at the most, by CML's OpenAPI

typedef enum lab_state { LAB_DEFINED, LAB_STOPPED, LAB_STARTED, LAB_STATE_COUNT } lab_state_t;

const char *lab_state_name (lab_state_t state);  //  DEFINED_ON_CORE STOPPED STARTED
lab_state_t lab_state_parse (const char *word);  //  LAB_STATE_COUNT for another word

typedef struct lab {
    uint64_t key;  //  its id is noise_uuid (key)
    char title [LAB_TITLE_SIZE];
    lab_state_t state;
    int64_t nodes, links;
    time_us_t created_wall, modified_wall;
    time_us_t started_elapsed;
} lab_t;

typedef struct activity {
    const char *category;  //  of CML's telemetry: start_lab, user_activity, …
    time_us_t wall;
    uint64_t lab_key;  //  0: of no lab
} activity_t;

typedef struct cml {
    lab_t labs [LABS_MAX];
    size_t lab_count;
    uint64_t labs_made;
    activity_t activities [ACTIVITIES_MAX];  //  a ring: number n lies at n % ACTIVITIES_MAX
    uint64_t activity_count;
    uint64_t token_epoch;  //  tokens of an earlier one have expired
} cml_t;

typedef struct check {
    bool impaired;
    time_us_t since_wall, until_elapsed;
} check_t;

#define INSTANCE_ID_SIZE 24

typedef struct instance {
    size_t slot;
    uint64_t serial;  //  never used again; its certificate follows from it
    uint64_t key;     //  its own chance
    char id [INSTANCE_ID_SIZE], name [48], zone [40], group [48];
    const char *region, *account;
    char public_ip [16], private_ip [16];
    char cml_port [8];  //  as a tag; empty: the CML is at its public address
    const instance_type_t *type;
    const image_t *image;
    agent_t agent;

    instance_state_t state;
    time_us_t next_elapsed;  //  when a passing state ends; TIME_UNKNOWN in a lasting one
    time_us_t launched_wall;
    time_us_t running_wall;     //  since when it has run, last
    time_us_t running_elapsed;  //  the same by the scenario's clock
    time_us_t stopped_wall;     //  until when it ran; TIME_UNKNOWN while it does
    const char *state_reason;   //  code of EC2's StateReason, or null
    check_t system_check, instance_check;

    bool detailed, monitoring_changes;
    time_us_t monitoring_wall, monitoring_until_elapsed;

    double load_percent;  //  0: none; what the scenario puts on top
    time_us_t load_until_elapsed;

    unsigned starts;  //  each gives another public address
    cml_t cml;
} instance_t;

//  Fills in who it is. regions_count regions share the slots in turn.
void instance_identify (instance_t *self, size_t slot, uint64_t serial, uint64_t seed,
                        const char *const regions [], size_t regions_count);

//  A new public address, on 127/8 but never 127.0.0.x.
void instance_take_address (instance_t *self);

//  True when the instance runs or comes up, so that it has a public address.
bool instance_has_address (const instance_t *self);

#endif
