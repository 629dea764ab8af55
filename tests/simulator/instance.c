// SPDX-License-Identifier: MIT

#include "instance.h"

#include "noise.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table)    (sizeof (table) / sizeof (table) [0])
#define ADDRESS_FIRST   10   //  127.10.x.y: far from 127.0.0.1
#define ADDRESS_ROUNDS  100  //  public addresses of one instance before they come again
#define DETAILED_OF_TEN 4

static const struct {
    const char *name;
    int code;
} STATES [INSTANCE_STATE_COUNT] = {
    [INSTANCE_PENDING] = {"pending", 0},
    [INSTANCE_RUNNING] = {"running", 16},
    [INSTANCE_SHUTTING_DOWN] = {"shutting-down", 32},
    [INSTANCE_TERMINATED] = {"terminated", 48},
    [INSTANCE_STOPPING] = {"stopping", 64},
    [INSTANCE_STOPPED] = {"stopped", 80},
};

static const char *const LAB_STATES [LAB_STATE_COUNT] = {"DEFINED_ON_CORE", "STOPPED", "STARTED"};

// clang-format off
static const instance_type_t TYPES [] = {
    {"m5zn.metal",  "Intel(R) Xeon(R) Platinum 8252C CPU @ 3.80GHz", 48,  192,  900},
    {"c5.metal",    "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz", 96, 192,  500},
    {"m5.metal",    "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", 96, 384, 1200},
    {"m7i.metal-24xl", "Intel(R) Xeon(R) Platinum 8488C", 96, 384, 800},
};

const image_t IMAGES [] = {
    {"ami-0c29f8a1e5b3d7640", "cisco-cml-2.9.0-rev3", "Cisco Modeling Labs 2.9.0 (controller & compute)", "2025-06-24T09:12:31.000Z", "2.9.0+build.6"},
    {"ami-07d4be19c6a2f8053", "cisco-cml-2.8.1-rev1", "Cisco Modeling Labs 2.8.1 (controller & compute)", "2025-02-11T14:40:02.000Z", "2.8.1+build.14"},
    {"ami-0f61a3d9027bc845e", "cisco-cml-2.9.0-exam", "CML 2.9.0 for exams, \"locked\" <golden>",          "2025-09-30T06:55:47.000Z", "2.9.0+build.6"},
    {0},
};
// clang-format on

static const char *const ROLES [] = {"train", "exam", "dev", "demo"};

const char *
instance_state_name (instance_state_t state)
{
    assert (state < INSTANCE_STATE_COUNT);
    return STATES [state].name;
}

int
instance_state_code (instance_state_t state)
{
    assert (state < INSTANCE_STATE_COUNT);
    return STATES [state].code;
}

instance_state_t
instance_state_parse (const char *word)
{
    int state = 0;

    while (state < INSTANCE_STATE_COUNT && strcmp (STATES [state].name, word) != 0) {
        state++;
    }
    return (instance_state_t) state;
}

const char *
lab_state_name (lab_state_t state)
{
    assert (state < LAB_STATE_COUNT);
    return LAB_STATES [state];
}

lab_state_t
lab_state_parse (const char *word)
{
    int state = 0;

    while (state < LAB_STATE_COUNT && strcmp (LAB_STATES [state], word) != 0) {
        state++;
    }
    return (lab_state_t) state;
}

//  Every sixth has no agent; the others show the ways in which real agents are set up.
static agent_t
choose_agent (size_t slot)
{
    static const agent_t AGENTS [] = {AGENT_PLAIN, AGENT_GROUP,     AGENT_AGGREGATED,
                                      AGENT_PLAIN, AGENT_NO_DEVICE, AGENT_NONE};

    return AGENTS [slot % COUNT (AGENTS)];
}

void
instance_identify (instance_t *self, size_t slot, uint64_t serial, uint64_t seed,
                   const char *const regions [], size_t regions_count)
{
    size_t region = slot % regions_count;
    const char *role = ROLES [slot % COUNT (ROLES)];

    *self = (instance_t){.slot = slot, .serial = serial, .key = noise_key (seed, serial)};
    self->region = regions [region];
    self->type = &TYPES [(self->key >> 8) % COUNT (TYPES)];
    self->image = &IMAGES [(self->key >> 16) % (COUNT (IMAGES) - 1)];
    self->agent = choose_agent (slot);
    self->detailed = (self->key >> 24) % 10 < DETAILED_OF_TEN;
    snprintf (self->id, sizeof self->id, "i-0%016" PRIx64, noise_mix (self->key));
    snprintf (self->name, sizeof self->name, "cml-%s-%02" PRIu64, role, serial + 1);
    snprintf (self->zone, sizeof self->zone, "%.36s%c", self->region,
              (char) ('a' + (int) (self->key % 3)));
    snprintf (self->group, sizeof self->group, "cml-%s-asg", role);
    snprintf (self->private_ip, sizeof self->private_ip, "10.%u.%u.%u", (unsigned) region & 0xff,
              (unsigned) ((slot + 1) >> 8) & 0xff, (unsigned) (slot + 1) & 0xff);
    self->next_elapsed = self->stopped_wall = TIME_UNKNOWN;
    self->cml.token_epoch = noise_mix (self->key + 1);
}

void
instance_take_address (instance_t *self)
{
    unsigned second = ADDRESS_FIRST + self->starts++ % ADDRESS_ROUNDS;

    snprintf (self->public_ip, sizeof self->public_ip, "127.%u.%u.%u", second,
              (unsigned) ((self->slot + 1) >> 8) & 0xff, (unsigned) (self->slot + 1) & 0xff);
}

bool
instance_has_address (const instance_t *self)
{
    return self->state == INSTANCE_PENDING || self->state == INSTANCE_RUNNING;
}
