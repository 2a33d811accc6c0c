#define _GNU_SOURCE
#include "internet.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

static socklen_t to_kernel(struct sockaddr_storage *out, const struct berth_endpoint *endpoint) {
    memset(out, 0, sizeof *out);
    if (endpoint->address_size == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint->port);
        memcpy(&v4->sin_addr, endpoint->address, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint->port);
    v6->sin6_scope_id = endpoint->scope;
    memcpy(&v6->sin6_addr, endpoint->address, 16);
    return sizeof *v6;
}

static int from_kernel(struct berth_endpoint *endpoint, const struct sockaddr_storage *in, socklen_t size) {
    memset(endpoint, 0, sizeof *endpoint);
    if (in->ss_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)in;
        endpoint->address_size = 4;
        endpoint->port = ntohs(v4->sin_port);
        memcpy(endpoint->address, &v4->sin_addr, 4);
        return 0;
    }
    if (in->ss_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)in;
        endpoint->address_size = 16;
        endpoint->port = ntohs(v6->sin6_port);
        endpoint->scope = v6->sin6_scope_id;
        memcpy(endpoint->address, &v6->sin6_addr, 16);
        return 0;
    }
    errno = EAFNOSUPPORT;
    return -1;
}

int berth_internet_socket(int address_size, int is_stream) {
    return socket(address_size == 4 ? AF_INET : AF_INET6, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int berth_internet_reserve(int transport, const struct berth_endpoint *endpoint, int waiting_count) {
    struct sockaddr_storage address;
    socklen_t size = to_kernel(&address, endpoint);
    int type = transport == 1 ? SOCK_DGRAM : SOCK_STREAM;
    int made = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, transport == 2 ? IPPROTO_SCTP : 0);
    if (made < 0) return -1;
    int on = 1;
    int failed = address.ss_family == AF_INET6 && setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0;
    // With it, two sockets of UDP could have one port.
    if (!failed && transport != 1) failed = setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0;
    if (!failed) failed = bind(made, (struct sockaddr *)&address, size) < 0;
    // Bound only, it could be stolen by whoever reuses addresses as well.
    if (!failed && transport != 1) failed = listen(made, waiting_count) < 0;
    if (!failed) return made;
    int error = errno;
    close(made);
    errno = error;
    return -1;
}

int berth_internet_bind(int socket, const struct berth_endpoint *endpoint, int is_free) {
    struct sockaddr_storage address;
    socklen_t size = to_kernel(&address, endpoint);
    int on = 1;
    // The option is the same for version 6.
    if (is_free && setsockopt(socket, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) < 0) return -1;
    return bind(socket, (struct sockaddr *)&address, size);
}

int berth_internet_connect(int socket, const struct berth_endpoint *endpoint) {
    struct sockaddr_storage address;
    socklen_t size = to_kernel(&address, endpoint);
    return connect(socket, (struct sockaddr *)&address, size);
}

int berth_internet_listen(int socket, int waiting_count) { return listen(socket, waiting_count); }

int berth_internet_name(int socket, struct berth_endpoint *endpoint) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &size) < 0) return -1;
    return from_kernel(endpoint, &address, size);
}

int berth_socket_error(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
    return error;
}

ssize_t berth_internet_receive(int socket, void *buffer, size_t capacity, struct berth_endpoint *sender) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    ssize_t count = recvfrom(socket, buffer, capacity, MSG_DONTWAIT, sender ? (struct sockaddr *)&address : NULL, sender ? &size : NULL);
    if (count >= 0 && sender && from_kernel(sender, &address, size) < 0) return -1;
    return count;
}

ssize_t berth_internet_send(int socket, const void *data, size_t size) { return send(socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); }

ssize_t berth_internet_send_to(
    int socket, const void *data, size_t size, const struct berth_endpoint *receiver, const struct berth_endpoint *sender) {
    struct sockaddr_storage address;
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    union {
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr alignment;
    } control;
    struct msghdr message = {.msg_name = &address, .msg_namelen = to_kernel(&address, receiver), .msg_iov = &part, .msg_iovlen = 1};
    if (sender->address_size == 4) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        memcpy(&((struct in_pktinfo *)CMSG_DATA(header))->ipi_spec_dst, sender->address, 4);
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int berth_internet_room(int socket, int byte_count) {
    if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &byte_count, sizeof byte_count) == 0) return 0;
    return setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &byte_count, sizeof byte_count);
}

int berth_socket_namespace(int socket) { return ioctl(socket, SIOCGSKNS); }

uint32_t berth_link_number(const char *name) { return if_nametoindex(name); }
