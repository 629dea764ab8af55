// fuzz_restore.c - a dump of a store that says anything, loaded, and an aggregator that begins with it.
//
// What cannot be loaded leaves the store empty and is said with its line. What can is opened anew with all its
// checks, and an aggregator restores what it takes of it, answers for it, and is told more. What it has written
// by then is dumped, and that can be loaded and dumped the same. The bytes are a dump's, as dump.h has it.
//
// SPDX-License-Identifier: MIT

#include "aggregator_rig.h"

#include "../../aggregator/dump.h"
#include "../../common/log.h"

#include <sys/stat.h>
#include <unistd.h>

#define PLACES     2
#define BYTES_MAX  ((int64_t) 16 << 20)
#define IN_MEMORY  "/dev/shm"
#define EVENTS_MAX 1000

static struct {
    char folder [64];
    store_settings_t settings [PLACES];
    metrics_t *metrics;
} world;

//  What is asked of what was restored, and what it is told.
static const char *const LINES [] = {
    "state {}",
    "worker {\"id\":\"i-1\",\"part\":\"history\",\"metric\":\"cpu_utilization\"}",
    "worker {\"id\":\"i-1\",\"part\":\"labs\"}",
    "worker {\"id\":\"i-1\",\"part\":\"others\"}",
    "worker {\"id\":\"i-1\",\"part\":\"activity\"}",
    "jobs {}",
    "job {\"id\":\"$0\"}",
    "alerts {}",
    "acknowledge {\"id\":\"$0\",\"by\":\"ada\"}",
    "events {\"after\":0,\"limit\":3}",
    "runner {\"runner_id\":\"/runner/a/b\",\"job_types\":[\"build\"],\"wait_ms\":0}",
    "report {\"runner_id\":\"/runner/a/b\",\"reports\":[{\"job_id\":\"$0\",\"attempt\":1,"
    "\"event\":\"completed\",\"result\":{\"a\":1}}]}",
    "runner {\"runner_id\":\"/collector/ec2/a\",\"job_types\":[\"metrics.refresh:ec2\"],"
    "\"wait_ms\":0,\"running\":[{\"job_id\":\"$0\",\"attempt\":1}]}",
    "report {\"runner_id\":\"/collector/ec2/a\",\"reports\":[{\"job_id\":\"$0\",\"attempt\":1,"
    "\"event\":\"completed\",\"result\":{\"a\":1}}]}",
    "!ec2 instance.observed us-east-1/i-1 {\"instance_id\":\"i-1\",\"region\":\"us-east-1\","
    "\"state\":\"running\",\"instance_type\":\"m5.large\",\"interval_seconds\":60}",
    "!cloudwatch utilization.observed us-east-1/i-1 {\"cpu_percent\":95,\"interval_seconds\":60}",
    "!agent utilization.observed us-east-1/i-1 {\"cpu_percent\":1,\"interval_seconds\":60}",
    "!cml system.observed us-east-1/i-1 {\"reachable\":false,\"error_code\":\"timeout\"}",
    "!cml labs.observed us-east-1/i-1 {\"labs\":[{\"lab_id\":\"l1\",\"state\":\"STARTED\"}]}",
    "!cml lab.state_changed us-east-1/i-1 "
    "{\"lab_id\":\"l1\",\"element\":\"n1\",\"state\":\"STOPPED\"}",
    "!cml activity.observed us-east-1/i-1 {\"last_activity_at\":\"2026-11-20T10:10:00.000Z\"}",
    "!ec2 instance.gone us-east-1/i-2 {\"instance_id\":\"i-2\",\"region\":\"us-east-1\"}",
    "submit {\"job_type\":\"metrics.refresh\",\"worker\":\"i-1\",\"by\":\"me\"}",
    "cancel {\"id\":\"$0\",\"by\":\"me\"}",
    "state {}",
    "worker {\"id\":\"i-1\",\"part\":\"history\",\"metric\":\"cpu_utilization\"}",
};

//  --- stores

static void
remove_stores (void)
{
    static const char *const FILES [] = {"/data.mdb", "/lock.mdb", "/owner", ""};
    char path [200];

    for (size_t place = 0; place < PLACES; place++) {
        for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
            snprintf (path, sizeof path, "%.100s%s", world.settings [place].path, FILES [i]);
            (void) remove (path);
        }
    }
}

static void
leave (void)
{
    remove_stores ();
    (void) rmdir (world.folder);
}

static void
start (void)
{
    log_open ("fuzz", LOG_LEVEL_ERROR + 1, LOG_FORMAT_LOGFMT);
    snprintf (world.folder, sizeof world.folder, "%s/cmlwatch-fuzz-XXXXXX",
              access (IN_MEMORY, W_OK) == 0 ? IN_MEMORY : "/tmp");
    CHECK (mkdtemp (world.folder) && (world.metrics = metrics_new (100)));
    for (int place = 0; place < PLACES; place++) {
        world.settings [place] = (store_settings_t){.durability = STORE_PROCESS,
                                                    .bytes_max = BYTES_MAX,
                                                    .events_max = EVENTS_MAX,
                                                    .events_keep_hours = 24,
                                                    .check = true};
        snprintf (world.settings [place].path, sizeof world.settings [place].path, "%s/%d",
                  world.folder, place);
    }
    CHECK (atexit (leave) == 0);
}

static store_t *
open_one (int place)
{
    reason_t why = {""};
    store_t *store = store_open (&world.settings [place], world.metrics, &why);

    if (!store) {
        fprintf (stderr, "not opened: %s\n", why.text);
        abort ();
    }
    return store;
}

static int
load (store_t *store, const void *bytes, size_t size, reason_t *why)
{
    FILE *in = fmemopen ((void *) (uintptr_t) bytes, size, "r");

    CHECK (in);
    int rc = dump_read (store, in, why);
    fclose (in);
    return rc;
}

static char *
dump (store_t *store, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream (&text, size);
    reason_t why = {""};

    CHECK (out);
    if (dump_write (store, out, &why) < 0) {
        fprintf (stderr, "not dumped: %s\n", why.text);
        abort ();
    }
    fclose (out);
    return text;
}

//  Into another store and out again is the same.
static void
check_dump (const char *text, size_t size)
{
    _cleanup_ (store_destroy) store_t *other = open_one (1);
    reason_t why = {""};
    size_t again_size = 0;

    if (load (other, text, size, &why) < 0) {
        fprintf (stderr, "dumped: %s\nrefused: %s\n", text, why.text);
        abort ();
    }
    _cleanup_ (string_destroy) char *again = dump (other, &again_size);
    if (again_size != size || memcmp (again, text, size) != 0) {
        fprintf (stderr, "dumped: %s\nand then: %s\n", text, again);
        abort ();
    }
}

//  --- an aggregator that begins with it

static void
begin (store_t *store)
{
    static unsigned runs;
    rig_t rig = {.run = ++runs, .store = store};

    open_all (&rig);
    turn (&rig);
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        take (&rig, LINES [i]);
    }
    close_all (&rig);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    reason_t why = {""};
    size_t dumped_size = 0;

    if (!world.metrics) {
        start ();
    }
    if (size == 0) {
        return 0;
    }
    remove_stores ();
    store_t *store = open_one (0);
    bool is_loaded = load (store, data, size, &why) == 0;
    CHECK (is_loaded || (why.text [0] && store_last (store) == 0));
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        CHECK (is_loaded || store_count (store, (store_table_t) table) == 0);
    }
    store_destroy (&store);
    if (!is_loaded) {
        return 0;
    }
    store = open_one (0);
    begin (store);
    _cleanup_ (string_destroy) char *dumped = dump (store, &dumped_size);
    store_destroy (&store);
    check_dump (dumped, dumped_size);
    return 0;
}
