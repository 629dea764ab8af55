// cleanup.h - a local variable that owns something says so where it is declared.
//
//     _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (feed);
//
// Every return, early or late, then releases it; there is no goto ladder. Our own
// classes and czmq's need nothing else, for destroy (T **) is the shape the
// attribute calls. A foreign type gets one DEFINE_CLEANUP line, once: here when two
// programs need it, else in the file that does.
// A function that hands its local on returns take_ptr (local).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(destroy) __attribute__ ((cleanup (destroy)))

#define DEFINE_CLEANUP(name, type, release) \
    static inline void name (type *self_p)  \
    {                                       \
        if (*self_p) {                      \
            (void) release (*self_p);       \
            *self_p = NULL;                 \
        }                                   \
    }

#define take_ptr(pointer)                        \
    __extension__({                              \
        __typeof__ (pointer) taken_ = (pointer); \
        (pointer) = NULL;                        \
        taken_;                                  \
    })

DEFINE_CLEANUP (string_destroy, char *, free)
DEFINE_CLEANUP (json_destroy, struct json_object *, json_object_put)

//  For descriptors: -1 is none, as everywhere in POSIX.
static inline void
descriptor_close (int *fd_p)
{
    if (*fd_p >= 0) {
        close (*fd_p);
        *fd_p = -1;
    }
}

#endif
