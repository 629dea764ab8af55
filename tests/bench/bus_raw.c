// bus_raw.c - the limit of the bus: czmq's publish and subscribe, and nothing between them.
//
//     bus_raw INGEST FEED
//
// Stands where an aggregator stands: a SUB is bound to INGEST, a PUB to FEED, and what comes in goes out. Nothing is
// read, applied, stored or numbered. SPDX-License-Identifier: MIT

#include <czmq.h>

int
main (int argc, char **argv)
{
    if (argc != 3) {
        fprintf (stderr, "usage: bus_raw INGEST FEED\n");
        return 2;
    }
    zsock_t *ingest = zsock_new (ZMQ_SUB), *feed = zsock_new (ZMQ_PUB);
    zsock_set_rcvhwm (ingest, 0);
    zsock_set_sndhwm (feed, 0);
    zsock_set_subscribe (ingest, "");
    if (zsock_bind (ingest, "%s", argv [1]) < 0 || zsock_bind (feed, "%s", argv [2]) < 0) {
        fprintf (stderr, "bus_raw: %s\n", zmq_strerror (errno));
        return EXIT_FAILURE;
    }
    for (zmsg_t *message; (message = zmsg_recv (ingest));) {
        zmsg_send (&message, feed);
    }
    zsock_destroy (&ingest);
    zsock_destroy (&feed);
    return EXIT_SUCCESS;
}
