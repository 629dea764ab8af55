// SPDX-License-Identifier: MIT

#include "labs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof (table) / sizeof (table) [0])
#define BOOT_US      (20 * SECOND_US)  //  elapsed time from STARTED to BOOTED of a node
#define QUEUE_US     (5 * SECOND_US)   //  each waits so long for the one before it
#define INITIAL_MAX  4

static const char *const TITLES [] = {
    "OSPF areas and stubs",
    "BGP route reflection",
    "SD-WAN bring-up",
    "EVPN VXLAN fabric",
    "IPv6 transition",
    "Segment routing TE",
    "Zone-based firewall",
    "Multicast PIM-SM",
    "QoS for voice & video",
    "Spanning tree <failures>",
    "NetDevOps with pyATS",
    "Campus wireless",
    "MPLS L3VPN",
    "Nexus vPC",
    "DMVPN phase 3",
    "ISE posture",
    "Service provider core",
    "Exam 350-401 \"ENCOR\"",
};

lab_t *
labs_find (cml_t *self, const char *title_or_id)
{
    for (size_t i = 0; i < self->lab_count; i++) {
        char id [NOISE_UUID_SIZE];
        noise_uuid (id, self->labs [i].key);
        if (strcmp (self->labs [i].title, title_or_id) == 0 || strcmp (id, title_or_id) == 0) {
            return &self->labs [i];
        }
    }
    return NULL;
}

void
labs_record (cml_t *self, const char *category, uint64_t lab_key, time_us_t wall)
{
    self->activities [self->activity_count++ % ACTIVITIES_MAX] =
        (activity_t){.category = category, .wall = wall, .lab_key = lab_key};
}

lab_t *
labs_import (cml_t *self, uint64_t key, const char *title, time_us_t wall)
{
    if (self->lab_count == LABS_MAX) {
        return NULL;
    }
    lab_t *lab = &self->labs [self->lab_count++];
    uint64_t own = noise_key (key, ++self->labs_made);

    *lab = (lab_t){.key = own, .state = LAB_DEFINED, .created_wall = wall, .modified_wall = wall};
    lab->nodes = 3 + (int64_t) (own % 12);
    lab->links = lab->nodes - 1 + (int64_t) ((own >> 8) % 6);
    snprintf (lab->title, sizeof lab->title, "%s", title ? title : TITLES [own % COUNT (TITLES)]);
    labs_record (self, "import_lab", own, wall);
    return lab;
}

void
labs_populate (cml_t *self, uint64_t key, time_us_t wall)
{
    size_t count = 1 + key % INITIAL_MAX;

    for (size_t i = 0; i < count; i++) {
        time_us_t created = wall - (time_us_t) (1 + (key >> (8 * i)) % 72) * HOUR_US;
        lab_t *lab = labs_import (self, key, NULL, created);
        assert (lab);
        lab->state = (key >> (8 * i)) % 3 == 0 ? LAB_STARTED : LAB_STOPPED;
        lab->started_elapsed = -HOUR_US;
        lab->modified_wall = created + 30 * MINUTE_US;
        labs_record (self, lab->state == LAB_STARTED ? "start_lab" : "stop_lab", lab->key,
                     lab->modified_wall);
    }
}

int
labs_set (cml_t *self, lab_t *lab, lab_state_t state, time_us_t elapsed, time_us_t wall)
{
    if (lab->state == state) {
        return -EALREADY;
    }
    if (state == LAB_STARTED) {
        lab->started_elapsed = elapsed;
        labs_record (self, "start_lab", lab->key, wall);
        labs_record (self, "queue_node", lab->key, wall);
    } else if (state == LAB_STOPPED && lab->state == LAB_STARTED) {
        labs_record (self, "stop_lab", lab->key, wall);
    } else if (state == LAB_DEFINED) {
        labs_record (self, "wipe_node", lab->key, wall);
    }
    lab->state = state;
    lab->modified_wall = wall;
    return 0;
}

void
labs_remove (cml_t *self, lab_t *lab)
{
    size_t index = (size_t) (lab - self->labs);

    assert (index < self->lab_count);
    memmove (lab, lab + 1, (self->lab_count - index - 1) * sizeof *lab);
    self->lab_count--;
}

size_t
labs_running (const cml_t *self)
{
    size_t running = 0;

    for (size_t i = 0; i < self->lab_count; i++) {
        running += self->labs [i].state == LAB_STARTED;
    }
    return running;
}

int64_t
labs_nodes (const cml_t *self, bool running)
{
    int64_t nodes = 0;

    for (size_t i = 0; i < self->lab_count; i++) {
        if (!running || self->labs [i].state == LAB_STARTED) {
            nodes += self->labs [i].nodes;
        }
    }
    return nodes;
}

const char *
labs_node_state (const lab_t *lab, int64_t node, time_us_t elapsed)
{
    time_us_t age = elapsed - lab->started_elapsed - node * QUEUE_US;

    if (lab->state != LAB_STARTED) {
        return lab_state_name (lab->state);
    }
    if (age < 0) {
        return "QUEUED";
    }
    return age < BOOT_US ? "STARTED" : "BOOTED";
}

//  Whether the last node came up since the tick before is seen by its own time alone: a
//  lab that has booted is marked by a start that lies before all time.
void
labs_tick (cml_t *self, time_us_t elapsed, time_us_t wall)
{
    for (size_t i = 0; i < self->lab_count; i++) {
        lab_t *lab = &self->labs [i];
        if (lab->state == LAB_STARTED && lab->started_elapsed >= 0 &&
            elapsed - lab->started_elapsed >= BOOT_US + (lab->nodes - 1) * QUEUE_US) {
            labs_record (self, "boot_node", lab->key, wall);
            lab->started_elapsed = -HOUR_US;
        }
    }
}

void
labs_power_off (cml_t *self, time_us_t wall)
{
    for (size_t i = 0; i < self->lab_count; i++) {
        if (self->labs [i].state == LAB_STARTED) {
            self->labs [i].state = LAB_STOPPED;
            self->labs [i].modified_wall = wall;
        }
    }
}
