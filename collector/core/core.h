// core.h - the collector as main sees it: made of its parts, ended, made anew on a reload.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_CORE_H
#define COLLECTOR_CORE_CORE_H

#include "collector.h"

//  settings are the source's (first member collector_settings_t) and stay in place while it
//  lives. Null and why.
collector_t *collector_new (loop_t *loop, const collector_source_t *source, const void *settings,
                            reason_t *why);
void collector_destroy (collector_t **self_p);

//  Whether the aggregator gives it work now; else why not. What /readyz answers.
bool collector_is_ready (const collector_t *self, reason_t *why);

//  True when it was to make one round (--once, --dry-run), and that did not go well, or not to the end.
bool collector_failed (const collector_t *self);

//  The source's table with the defaults that come from an environment others read too:
//  COLLECTOR_ID, AWS_REGION, AWS_DEFAULT_REGION, the source's default_region, the host's name.
//  The caller frees it; null when memory is out.
config_key_t *collector_keys_new (const collector_source_t *source);

//  otlp_traces_ratio: 0, or -EINVAL and why.
int collector_read_ratio (const char *text, double *ratio, reason_t *why);

//  What the core's own keys must fulfil together.
int collector_settings_check (const collector_settings_t *settings, reason_t *why);

#endif
