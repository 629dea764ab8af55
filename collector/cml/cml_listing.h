// cml_listing.h - says of the servers of cml_servers.h that they are there, or no longer.
//
// Every collector says so of all of them, whoever reads them: the same word from several
// changes nothing, and the servers stay known when one goes. All are to be configured alike.
// A worker of the region that is leased to us and is not listed is gone.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_LISTING_H
#define COLLECTOR_CML_LISTING_H

#include "cml_servers.h"

typedef struct cml_listing cml_listing_t;

//  Both are borrowed. Null when memory is out.
cml_listing_t *cml_listing_new (collector_t *core, const cml_servers_t *servers);
void cml_listing_destroy (cml_listing_t **self_p);

//  The lease has changed.
void cml_listing_follow (cml_listing_t *self);

#endif
