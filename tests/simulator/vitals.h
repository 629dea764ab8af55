// vitals.h - how busy a machine is: the one source of what both CloudWatch's agent and CML
// say of memory and disk, so that they agree as they would on a real machine.
//
// CML's CPU is CloudWatch's with what the running labs put on top, and wavers from second
// to second where CloudWatch has one value for minutes. Positions are those of series.h.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_VITALS_H
#define SIMULATOR_VITALS_H

#include "world.h"

//  As the hypervisor sees it; NaN in a gap of the series.
double vitals_cpu (const world_t *world, const instance_t *instance, time_us_t position);

//  As CML sees it; never NaN.
double vitals_cml_cpu (const world_t *world, const instance_t *instance);

//  Percent used.
double vitals_memory (const instance_t *instance, time_us_t position);
double vitals_disk (const instance_t *instance, time_us_t position);

#endif
