#define _GNU_SOURCE
#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

static int bound_port(int socket, uint32_t *port) {
    struct sockaddr_nl address = {0};
    socklen_t size = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &size) < 0) return -1;
    if (size != sizeof address || address.nl_family != AF_NETLINK) {
        errno = EPROTO;
        return -1;
    }
    *port = address.nl_pid;
    return 0;
}

static int prepare(int raw, int timeout_milliseconds, uint32_t *port) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    struct timeval timeout = {.tv_sec = timeout_milliseconds / 1000, .tv_usec = timeout_milliseconds % 1000 * 1000};
    int on = 1;
    if (bind(raw, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    if (setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0) return -1;
    if (setsockopt(raw, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) < 0) return -1;
    if (setsockopt(raw, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0) return -1;
    if (setsockopt(raw, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) < 0) return -1;
    return bound_port(raw, port);
}

int berth_netlink_open(int protocol, int timeout_milliseconds, uint32_t *port) {
    int raw = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (raw < 0) return -1;
    if (prepare(raw, timeout_milliseconds, port) == 0) return raw;
    int error = errno;
    close(raw);
    errno = error;
    return -1;
}

int berth_netlink_port(int socket, int protocol, uint32_t *port) {
    int found = -1;
    socklen_t size = sizeof found;
    if (bound_port(socket, port) < 0) return -1;
    if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &found, &size) < 0) return -1;
    if (found == protocol) return 0;
    errno = EPROTO;
    return -1;
}

ssize_t berth_netlink_send(int socket, const void *data, size_t size) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    return sendto(socket, data, size, 0, (struct sockaddr *)&kernel, sizeof kernel);
}

ssize_t berth_netlink_peek(int socket, int waits) { return recv(socket, NULL, 0, MSG_PEEK | MSG_TRUNC | (waits ? 0 : MSG_DONTWAIT)); }

ssize_t berth_netlink_receive(int socket, void *buffer, size_t capacity, int waits, uint32_t *sender) {
    struct sockaddr_nl address = {0};
    socklen_t size = sizeof address;
    ssize_t count = recvfrom(socket, buffer, capacity, MSG_TRUNC | (waits ? 0 : MSG_DONTWAIT), (struct sockaddr *)&address, &size);
    *sender = address.nl_pid;
    return count;
}

int berth_netlink_join(int socket, uint32_t group) {
    return setsockopt(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
}

int berth_netlink_room(int socket, int is_for_sending, int byte_count) {
    // The forcing one needs CAP_NET_ADMIN; the other gives what the system's limit allows.
    if (setsockopt(socket, SOL_SOCKET, is_for_sending ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &byte_count, sizeof byte_count) == 0) return 0;
    return setsockopt(socket, SOL_SOCKET, is_for_sending ? SO_SNDBUF : SO_RCVBUF, &byte_count, sizeof byte_count);
}

int berth_unshare_network(void) { return unshare(CLONE_NEWNET); }
