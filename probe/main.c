// main.c - cmlwatch-probe: asks a program's /readyz once; for the health checks of containers.
//
//     cmlwatch-probe [host:port[/path]]      127.0.0.1:8080/readyz
//
// Exit code 0 when the answer is 200, else 1 and a line that says why. An image has no shell and
// no curl; this needs nothing of them. HTTP without TLS, to loopback: it is asked in the container.
//
// SPDX-License-Identifier: MIT

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_SECONDS 3
#define ANSWER_MAX       (1 << 20)  //  of /metrics too; what is beyond is cut off

typedef struct target {
    char host [128], port [8], path [128];
} target_t;

static int
parse (target_t *target, const char *text)
{
    const char *slash = strchr (text, '/');
    size_t address = slash ? (size_t) (slash - text) : strlen (text), host = address;

    while (host > 0 && text [host - 1] != ':') {
        host--;
    }
    size_t port = address - host;
    if (host < 2 || host > sizeof target->host || port == 0 || port >= sizeof target->port ||
        (slash && strlen (slash) >= sizeof target->path)) {
        return -1;
    }
    snprintf (target->host, sizeof target->host, "%.*s", (int) host - 1, text);
    snprintf (target->port, sizeof target->port, "%.*s", (int) port, text + host);
    snprintf (target->path, sizeof target->path, "%s", slash ? slash : "/readyz");
    return 0;
}

//  A connected socket that waits for nothing longer than PATIENCE_SECONDS; -1 and a line on stderr.
static int
reach (const target_t *target)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};

    int rc = getaddrinfo (target->host, target->port, &wanted, &found);
    if (rc != 0) {
        fprintf (stderr, "cmlwatch-probe: %s: %s\n", target->host, gai_strerror (rc));
        return -1;
    }
    int fd = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    if (fd < 0 || connect (fd, found->ai_addr, found->ai_addrlen) != 0) {
        fprintf (stderr, "cmlwatch-probe: %s:%s: %s\n", target->host, target->port,
                 strerror (errno));
        if (fd >= 0) {
            close (fd);
        }
        fd = -1;
    }
    freeaddrinfo (found);
    return fd;
}

//  The whole answer, which is short; its size, or -1.
static ssize_t
ask (int fd, const target_t *target, char *answer, size_t size_max)
{
    char request [512];
    size_t size = 0;

    int length = snprintf (request, sizeof request,
                           "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target->path,
                           target->host);
    if (send (fd, request, (size_t) length, MSG_NOSIGNAL) != length) {
        return -1;
    }
    ssize_t got = 1;
    while (got > 0 && size + 1 < size_max) {
        got = recv (fd, answer + size, size_max - size - 1, 0);
        size += got > 0 ? (size_t) got : 0;
    }
    answer [size] = '\0';
    return got < 0 ? -1 : (ssize_t) size;
}

int
main (int argc, char **argv)
{
    target_t target;
    static char answer [ANSWER_MAX];

    if (argc > 2 || parse (&target, argc > 1 ? argv [1] : "127.0.0.1:8080/readyz") < 0) {
        fputs ("usage: cmlwatch-probe [host:port[/path]]\n", stderr);
        return 2;
    }
    int fd = reach (&target);
    if (fd < 0) {
        return EXIT_FAILURE;
    }
    ssize_t size = ask (fd, &target, answer, sizeof answer);
    close (fd);
    if (size < 0) {
        fprintf (stderr, "cmlwatch-probe: %s:%s: %s\n", target.host, target.port, strerror (errno));
        return EXIT_FAILURE;
    }
    const char *body = strstr (answer, "\r\n\r\n");
    puts (body ? body + 4 : answer);
    return strncmp (answer, "HTTP/1.1 200 ", 13) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
