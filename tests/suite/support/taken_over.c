/* A library that a test preloads into `daytime serve`. After the first accept(2), when the sandbox is on, it makes the
 * system calls that an attacker's code would make. It reports each call's result on standard error: "> call: works" or
 * "> call: errno N". */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static int (*real_accept4)(int, struct sockaddr *, socklen_t *, int);
static struct sockaddr_storage target;
static socklen_t target_size;
static struct sockaddr_un other = {.sun_family = AF_UNIX};
static const char *how;

/* DAYTIME_TEST_TARGET is "4 127.0.0.1 4711" or "6 ::1 4711". */
__attribute__((constructor)) static void prepare(void)
{
    int family, port;
    char address[64];
    real_accept4 = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
    how = getenv("DAYTIME_TEST_CALL");
    if (!how || sscanf(getenv("DAYTIME_TEST_TARGET"), "%d %63s %d", &family, address, &port) != 3)
        abort();
    if (family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, address, &v4->sin_addr);
        target_size = sizeof *v4;
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        inet_pton(AF_INET6, address, &v6->sin6_addr);
        target_size = sizeof *v6;
    }
    strncpy(other.sun_path, getenv("DAYTIME_TEST_UNIX"), sizeof other.sun_path - 1);
}

static void report(const char *call, long result)
{
    char line[80];
    /* A connection in progress (EINPROGRESS) counts as a connection. */
    int length = result >= 0 || errno == EINPROGRESS
        ? snprintf(line, sizeof line, "> %s: works\n", call)
        : snprintf(line, sizeof line, "> %s: errno %d\n", call, errno);
    if (write(2, line, length) != length) /* dprintf(3) makes calls that the sandbox refuses */
        abort();
}

static long send_to(int fd, int flags, void *to, socklen_t size, int descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec octet = {.iov_base = "x", .iov_len = 1};
    struct mmsghdr message = {{.msg_name = to, .msg_namelen = size, .msg_iov = &octet, .msg_iovlen = 1}};
    if (descriptor >= 0) {
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
        message.msg_hdr.msg_control = &control;
        message.msg_hdr.msg_controllen = sizeof control;
    }
    if (!strcmp(how, "sendto") && descriptor < 0)
        return sendto(fd, "x", 1, flags, to, size);
    if (!strcmp(how, "sendmmsg"))
        return sendmmsg(fd, &message, 1, flags);
    return sendmsg(fd, &message.msg_hdr, flags);
}

static void attack(int listener)
{
    report("shutdown", shutdown(listener, SHUT_RD));
    report("fast open", send_to(listener, MSG_FASTOPEN, &target, target_size, -1));
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage own;
        socklen_t size = sizeof own;
        int type = 0;
        if (getsockname(fd, (struct sockaddr *)&own, &size))
            continue;
        size = sizeof type;
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
        if (type != SOCK_DGRAM)
            continue;
        if (own.ss_family == AF_UNIX) {
            report("unix", send_to(fd, MSG_DONTWAIT, &other, sizeof other, -1));
            report("descriptor", send_to(fd, MSG_DONTWAIT, NULL, 0, listener));
        } else {
            report("udp", send_to(fd, MSG_DONTWAIT, &target, target_size, -1));
        }
    }
}

int accept4(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    static int done;
    int accepted = real_accept4(listener, address, size, flags);
    if (accepted >= 0 && !done) {
        done = 1;
        attack(listener);
    }
    return accepted;
}
