// same_file.h - whether a file that is read again when it changes is still the one that was read.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_SAME_FILE_H
#define GATEWAY_SAME_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

//  By inode, size and time of change: one that is renamed into its place is another.
static inline bool
same_file (const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

#endif
