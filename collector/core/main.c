// main.c - a collector: settings, one loop, the collector in it, until SIGTERM.
//
// SIGHUP reads the settings anew and, when all of them are right, makes the whole collector
// anew with them; when they are wrong, or it cannot be made, the old go on. That is done in
// a turn of its own: a part must not be destroyed by a handler that it may still be in.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/notify.h"
#include "core.h"

#include <errno.h>
#include <stdlib.h>

typedef struct host {
    program_t program;
    loop_t *loop;
    loop_timer_t *reload;
    notify_t *notify;
    void *settings;
    collector_t *collector;
    bool failed;
} host_t;

static int
check (const void *settings, reason_t *why)
{
    int rc = collector_settings_check (settings, why);
    return rc == 0 && collector_source.check ? collector_source.check (settings, why) : rc;
}

DEFINE_CLEANUP (memory_destroy, void *, free)

//  The old settings still hold when the new cannot be lived by: a port may be taken.
static void
make_anew (host_t *self, void **settings_p)
{
    reason_t why = {0};

    collector_destroy (&self->collector);
    self->collector = collector_new (self->loop, &collector_source, *settings_p, &why);
    if (self->collector) {
        void *old = self->settings;
        self->settings = *settings_p;
        *settings_p = old;
        log_info ("settings read anew");
        return;
    }
    log_error ("the new settings do not work; the old stay", LOG_TEXT ("reason", why.text));
    self->collector = collector_new (self->loop, &collector_source, self->settings, &why);
    if (!self->collector) {
        log_error ("nor do the old any more", LOG_TEXT ("reason", why.text));
        self->failed = true;
        loop_drain (self->loop);
    }
}

static void
reload (void *argument)
{
    host_t *self = argument;
    reason_t why = {0};
    _cleanup_ (memory_destroy) void *settings = calloc (1, collector_source.settings_size);

    if (loop_is_draining (self->loop)) {
        return;
    }
    if (!settings || program_reload (&self->program, settings, &why) < 0) {
        log_error ("the new settings are wrong; the old stay", LOG_TEXT ("reason", why.text));
        return;
    }
    make_anew (self, &settings);
}

static void
on_reload (void *argument)
{
    host_t *self = argument;
    loop_timer_after (self->reload, 0);
}

//  There is none for the moment in which one is made anew.
static bool
is_ready (void *argument, reason_t *why)
{
    host_t *self = argument;

    if (!self->collector) {
        reason_set (why, -EAGAIN, "the settings are read anew");
    }
    return self->collector && collector_is_ready (self->collector, why);
}

static void
host_clear (host_t *self)
{
    collector_destroy (&self->collector);
    loop_timer_destroy (&self->reload);
    notify_destroy (&self->notify);
    loop_destroy (&self->loop);
    free (self->settings);
    free ((void *) self->program.keys);
}

static int
run (host_t *self)
{
    reason_t why = {0};
    const collector_settings_t *settings = self->settings;

    self->loop = loop_new (settings->program.drain_ms);
    self->reload = self->loop ? loop_timer_new (self->loop, reload, self) : NULL;
    if (!self->reload) {
        reason_set (&why, -ENOMEM, "the kernel gives no descriptors or no memory");
        return program_refuse (&self->program, &why);
    }
    self->collector = collector_new (self->loop, &collector_source, self->settings, &why);
    if (!self->collector) {
        return program_refuse (&self->program, &why);
    }
    self->notify = notify_new (self->loop, is_ready, self);
    if (!self->notify) {
        reason_set (&why, -ENOMEM, "out of memory");
        return program_refuse (&self->program, &why);
    }
    loop_on_reload (self->loop, on_reload, self);
    log_info ("collecting", LOG_TEXT ("version", program_version ()),
              LOG_TEXT ("id", settings->collector_id), LOG_TEXT ("ingest", settings->ingest));

    bool late = loop_run (self->loop) != 0;
    self->failed |= collector_failed (self->collector);
    log_info ("ended", LOG_TEXT ("drain", late ? "cut short" : "complete"));
    return self->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main (int argc, char **argv)
{
    reason_t why = {0};
    _cleanup_ (host_clear) host_t host = {
        .program =
            {
                .name = collector_source.program,
                .section = collector_source.section,
                .summary = collector_source.summary,
                .keys = collector_keys_new (&collector_source),
                .settings_size = collector_source.settings_size,
                .check = check,
                .explain = collector_source.explain,
            },
        .settings = calloc (1, collector_source.settings_size),
    };

    if (!host.program.keys || !host.settings) {
        reason_set (&why, -ENOMEM, "out of memory");
        return EXIT_FAILURE;
    }
    switch (program_start (&host.program, argc, argv, host.settings, &why)) {
    case PROGRAM_RUN: return run (&host);
    case PROGRAM_ANSWERED: return EXIT_SUCCESS;
    case PROGRAM_REFUSED: break;
    }
    return program_refuse (&host.program, &why);
}
