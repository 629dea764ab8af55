// world.h - the simulated instances, and the time they live in.
//
// Two clocks: what the APIs write is real time; what happens (boots, labs, the scenario,
// the data in the series) follows elapsed time, which runs speed times as fast. Nothing
// here reads a clock: world_tick is given the moment, so a test gives one of its own.
//
// Slots are kept: an instance that is long terminated makes room for a new one, so that a
// demo can go on for ever. An instance_t pointer stays valid while the world lives, but a
// slot may come to hold another instance in a later tick.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WORLD_H
#define SIMULATOR_WORLD_H

#include "../../common/reason.h"
#include "curves.h"
#include "instance.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGIONS_MAX      16
#define ACCOUNTS_MAX     8
#define INSTANCES_MAX    20000
#define WORLD_APPEAR_MAX 1000  //  slots beyond those of the start

typedef struct world world_t;

typedef struct world_settings {
    size_t instances;
    const char *regions;   //  comma list
    const char *accounts;  //  comma list; null: KEY_ACCOUNT alone
    uint64_t seed;
    double speed;
    time_us_t transition_us;  //  elapsed time of pending, stopping, shutting-down
    unsigned cml_ports;  //  0; else the first instance's CML is at this port, the next at the next
} world_settings_t;

//  All instances run, for hours already. curves is borrowed and must outlive it. Null and
//  why for a bad list of regions.
world_t *world_new (const world_settings_t *settings, const curves_t *curves, moment_t now,
                    reason_t *why);
void world_destroy (world_t **self_p);

//  Moves time on: passing states end, CMLs come up, terminated instances disappear.
void world_tick (world_t *self, moment_t now);

//  As given to the last tick.
moment_t world_now (const world_t *self);
time_us_t world_elapsed (const world_t *self);
double world_speed (const world_t *self);

//  Where in the series (series.h) a point stands that is stamped wall: now in the data runs
//  with speed, the distances between stamps are real.
time_us_t world_position (const world_t *self, time_us_t wall);
const curves_t *world_curves (const world_t *self);

size_t world_slots (const world_t *self);
instance_t *world_at (const world_t *self, size_t slot);  //  null for an empty slot
instance_t *world_find (const world_t *self, const char *id);
instance_t *world_find_name (const world_t *self, const char *name);
size_t world_regions (const world_t *self, const char *const **regions);
size_t world_accounts (const world_t *self, const char *const **accounts);

//  The id that the instance will have which is to appear as number next from now (0: the
//  very next), and its serial.
uint64_t world_coming (const world_t *self, uint64_t next, char id [INSTANCE_ID_SIZE]);

//  The instance whose public address this is (network order), or, as web_local_address has it,
//  whose CML's port; or null.
instance_t *world_find_address (const world_t *self, uint32_t address);

//  What an operator or the scenario may tell an instance. -EINVAL when its state forbids it.
typedef enum world_order { WORLD_START, WORLD_STOP, WORLD_TERMINATE } world_order_t;
int world_order (world_t *self, instance_t *instance, world_order_t order);

//  Puts an instance into a state at once.
void world_set_state (world_t *self, instance_t *instance, instance_state_t state);

//  The instance is as if it had never been: no API lists it any longer.
void world_vanish (world_t *self, instance_t *instance);

//  A new instance, which starts; null when there is no slot left.
instance_t *world_appear (world_t *self);

//  for_us of elapsed time; FOR_EVER until it is mended.
#define WORLD_FOR_EVER INT64_MAX
void world_impair (world_t *self, check_t *check, time_us_t for_us);
void world_mend (instance_t *instance);
void world_monitor (world_t *self, instance_t *instance, bool detailed);
void world_load (world_t *self, instance_t *instance, double percent, time_us_t for_us);

//  disabled, pending, enabled, disabling.
const char *world_monitoring (const world_t *self, const instance_t *instance);

//  ok, impaired, initializing, not-applicable: of one of the instance's checks.
const char *world_check (const world_t *self, const instance_t *instance, const check_t *check);

//  True when its CML accepts connections; true when it is ready too.
bool world_cml_answers (const world_t *self, const instance_t *instance);
bool world_cml_ready (const world_t *self, const instance_t *instance);

#endif
