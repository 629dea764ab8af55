// main.c - cmlwatch-sim: a stand-in for AWS and for CML servers that speaks their protocols.
//
// A world of instances lives by a scenario (world, director); EC2, CloudWatch and STS tell
// of it on one port (aws_server), where an instance's own role is found too (metadata), each running instance's CML on its own address
// (cml_server); tests look in and interfere behind /_sim/ (sim_control). Parts are declared
// in the order in which they lean on each other, so they are destroyed in the other.
//
// SPDX-License-Identifier: MIT

#include "../../common/admin.h"
#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/loop.h"
#include "aws_server.h"
#include "cml_server.h"
#include "director.h"
#include "metadata.h"
#include "settings.h"
#include "sim_control.h"

#include <stdlib.h>
#include <string.h>

#define TICK_US               (50 * MS_US)
#define INSTANCES_DEFAULT     20
#define TRANSITION_DEFAULT_MS 5000

typedef struct sim {  //  borrowed
    loop_t *loop;
    world_t *world;
    director_t *director;  //  null without a scenario
    cml_server_t *cml;
    aws_server_t *aws;
    metadata_t *metadata;
    sim_control_t control;
} sim_t;

static void
on_tick (void *argument)
{
    sim_t *sim = argument;

    world_tick (sim->world, loop_now (sim->loop));
    if (sim->director) {
        director_tick (sim->director);
    }
    cml_server_refresh (sim->cml);
}

static void
on_request (void *argument, const web_request_t *request, web_answer_t *answer)
{
    sim_t *sim = argument;

    if (strncmp (request->http.path, SIM_CONTROL_PATH, strlen (SIM_CONTROL_PATH)) == 0) {
        sim_control_handle (&sim->control, request, answer);
    } else if (metadata_has (request->http.path)) {
        metadata_handle (sim->metadata, request, answer);
    } else {
        aws_server_handle (sim->aws, request, answer);
    }
}

static world_t *
make_world (const sim_settings_t *settings, const scenario_t *scenario, const curves_t *curves,
            reason_t *why)
{
    size_t instances = scenario ? scenario_instances (scenario) : 0;
    time_us_t transition = scenario ? scenario_transition (scenario) : 0;

    instances = settings->instances ? (size_t) settings->instances : instances;
    transition = settings->transition_ms ? settings->transition_ms * MS_US : transition;
    const world_settings_t world = {
        .instances = instances ? instances : INSTANCES_DEFAULT,
        .regions = settings->regions,
        .accounts = settings->accounts,
        .seed = (uint64_t) settings->seed,
        .speed = (double) settings->speed,
        .cml_ports = (unsigned) settings->cml_ports,
        .transition_us = transition ? transition : TRANSITION_DEFAULT_MS * MS_US,
    };
    return world_new (&world, curves, clock_now (), why);
}

//  Everything between the settings and the loop; the exit code.
static int
run (const sim_settings_t *settings, reason_t *why)
{
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (scenario_destroy) scenario_t *scenario = NULL;
    if (settings->scenario [0] && !(scenario = scenario_read (settings->scenario, why))) {
        return program_refuse (&SIM, why);
    }
    _cleanup_ (curves_destroy) curves_t *curves =
        curves_new (settings->series, (uint64_t) settings->seed, clock_now ().wall, why);
    _cleanup_ (world_destroy) world_t *world =
        curves ? make_world (settings, scenario, curves, why) : NULL;
    _cleanup_ (faults_destroy) faults_t *faults = faults_new ();
    _cleanup_ (calls_destroy) calls_t *calls = calls_new ();
    _cleanup_ (keys_destroy) keys_t *keys =
        keys_new (settings->access_key_id, settings->secret_access_key, (uint64_t) settings->seed);
    _cleanup_ (tokens_destroy) tokens_t *tokens = tokens_new (settings->token_seconds);
    if (!loop || !world || !faults || !calls || !keys || !tokens) {
        return program_refuse (&SIM, why);
    }
    _cleanup_ (director_destroy) director_t *director =
        scenario ? director_new (scenario, world, faults, (uint64_t) settings->seed, why) : NULL;
    if (scenario && !director) {
        return program_refuse (&SIM, why);
    }
    const cml_parts_t cml_parts = {world,
                                   faults,
                                   calls,
                                   tokens,
                                   settings->cml_username,
                                   settings->cml_password,
                                   settings->push_stats_ms};
    _cleanup_ (cml_server_destroy) cml_server_t *cml =
        cml_server_new (loop, &cml_parts, (int) settings->cml_port, (int) settings->cml_ports, why);
    const aws_parts_t aws_parts = {world, faults, keys, calls, settings->throttle};
    _cleanup_ (aws_server_destroy) aws_server_t *aws = aws_server_new (&aws_parts);
    const metadata_parts_t metadata_parts = {world, faults,         keys,
                                             calls, settings->role, settings->container_token};
    _cleanup_ (metadata_destroy) metadata_t *metadata = metadata_new (&metadata_parts);
    keys_set_seconds (keys, settings->key_seconds);
    sim_t sim = {loop, world, director, cml, aws, metadata, {world, faults, calls, keys, cml}};
    int fd = cml && aws && metadata ? admin_listen (settings->aws, why) : -1;
    _cleanup_ (web_destroy) web_t *web =
        fd >= 0 ? web_new (loop, fd, NULL, on_request, &sim, why) : NULL;
    if (!web) {
        return program_refuse (&SIM, why);
    }
    _cleanup_ (loop_timer_destroy) loop_timer_t *tick = loop_timer_new (loop, on_tick, &sim);
    loop_timer_every (tick, TICK_US);
    log_info ("simulating", LOG_TEXT ("aws", settings->aws),
              LOG_INTEGER ("cml_port", cml_server_port (cml)),
              LOG_INTEGER ("instances", world_slots (world)),
              LOG_INTEGER ("series", curves_files (curves)),
              LOG_INTEGER ("speed", settings->speed));
    return loop_run (loop);
}

int
main (int argc, char **argv)
{
    sim_settings_t settings;
    reason_t why = {0};

    switch (program_start (&SIM, argc, argv, &settings, &why)) {
    case PROGRAM_RUN: return run (&settings, &why);
    case PROGRAM_ANSWERED: return EXIT_SUCCESS;
    case PROGRAM_REFUSED: return program_refuse (&SIM, &why);
    }
    return EXIT_FAILURE;
}
