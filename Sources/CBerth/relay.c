#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int option(int socket, int level, int name, int value) { return setsockopt(socket, level, name, &value, sizeof value); }

static int asked(int socket, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int berth_socket_kind(int descriptor) {
    int domain = asked(descriptor, SO_DOMAIN), protocol = asked(descriptor, SO_PROTOCOL);
    if (domain != AF_INET && domain != AF_INET6) return BERTH_SOCKET_OTHER;
    if (protocol == IPPROTO_UDP) return BERTH_SOCKET_UDP;
    return protocol == IPPROTO_TCP && asked(descriptor, SO_ACCEPTCONN) == 1 ? BERTH_SOCKET_TCP_LISTENER : BERTH_SOCKET_OTHER;
}

// ---- Waiting

int berth_relay_watch(int epoll, int socket, uint64_t number, int reads, int writes, int ends) {
    struct epoll_event event = {.events = (reads ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0), .data.u64 = number};
    // One that is not waited for must not stay: its end would be told again and again.
    if (!event.events && !ends) return epoll_ctl(epoll, EPOLL_CTL_DEL, socket, NULL) < 0 && errno != ENOENT ? -1 : 0;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) == 0) return 0;
    return errno == ENOENT ? epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) : -1;
}

int berth_relay_events(int epoll, struct berth_relay_event *events, int capacity) {
    struct epoll_event found[64];
    int count = epoll_wait(epoll, found, capacity < 64 ? capacity : 64, 0);
    for (int index = 0; index < count; index++) {
        uint32_t happened = found[index].events;
        events[index].number = found[index].data.u64;
        events[index].ends = (happened & (EPOLLERR | EPOLLHUP)) != 0;
        events[index].reads = (happened & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
        events[index].writes = (happened & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    }
    return count;
}

// ---- Connections

static void prepare_connection(int socket) {
    // None of these is worth a connection. Without them the end of a peer that says nothing more is never noticed.
    (void)option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    (void)option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
}

int berth_relay_accept(int listener) {
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted >= 0) prepare_connection(accepted);
    return accepted;
}

int berth_relay_connect(int is_stream, const uint8_t *address, size_t size, uint16_t port) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name;
    memset(&name, 0, sizeof name);
    socklen_t length;
    if (size == sizeof name.v4.sin_addr) {
        name.v4.sin_family = AF_INET;
        name.v4.sin_port = htons(port);
        memcpy(&name.v4.sin_addr, address, size);
        length = sizeof name.v4;
    } else if (size == sizeof name.v6.sin6_addr) {
        name.v6.sin6_family = AF_INET6;
        name.v6.sin6_port = htons(port);
        memcpy(&name.v6.sin6_addr, address, size);
        length = sizeof name.v6;
    } else {
        errno = EINVAL;
        return -1;
    }
    int made = socket(name.any.sa_family, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return -1;
    if (is_stream) prepare_connection(made);
    if (connect(made, &name.any, length) < 0 && errno != EINPROGRESS) {
        int error = errno;
        close(made);
        errno = error;
        return -1;
    }
    return made;
}

int berth_relay_connect_error(int socket) {
    int error = asked(socket, SO_ERROR);
    return error < 0 ? errno : error;
}

ssize_t berth_relay_splice(int from, int to, size_t size) {
    ssize_t count;
    do count = splice(from, NULL, to, NULL, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    while (count < 0 && errno == EINTR);
    return count;
}

int berth_relay_end_writing(int socket) { return shutdown(socket, SHUT_WR); }

int berth_relay_break_at_close(int socket) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

// ---- Datagrams

// A socket of IPv6 that also takes IPv4 tells both in the manner of IPv6.
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

int berth_relay_prepare_datagrams(int socket) {
    return asked(socket, SO_DOMAIN) == AF_INET6 ? option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : option(socket, IPPROTO_IP, IP_PKTINFO, 1);
}

ssize_t berth_relay_receive_from(int socket, void *buffer, size_t capacity, struct berth_peer *peer) {
    union control control;
    struct sockaddr_in6 name;
    struct iovec part = {buffer, capacity};
    struct msghdr message = {
        .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memset(&name, 0, sizeof name);
    memset(peer, 0, sizeof *peer);
    ssize_t size;
    do size = recvmsg(socket, &message, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0) return -1;
    if (name.sin6_family == AF_INET6) {
        peer->is_ipv6 = 1;
        peer->port = name.sin6_port;
        peer->scope = name.sin6_scope_id;
        memcpy(&peer->address_high, name.sin6_addr.s6_addr, 8);
        memcpy(&peer->address_low, name.sin6_addr.s6_addr + 8, 8);
    } else {
        struct sockaddr_in v4;
        memcpy(&v4, &name, sizeof v4);
        peer->port = v4.sin_port;
        peer->address_low = v4.sin_addr.s_addr;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo information;
            memcpy(&information, CMSG_DATA(header), sizeof information);
            // What was sent to many is answered from whichever address the kernel chooses.
            if (IN6_IS_ADDR_MULTICAST(&information.ipi6_addr)) continue;
            memcpy(&peer->local_high, information.ipi6_addr.s6_addr, 8);
            memcpy(&peer->local_low, information.ipi6_addr.s6_addr + 8, 8);
        } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo information;
            memcpy(&information, CMSG_DATA(header), sizeof information);
            peer->local_low = information.ipi_spec_dst.s_addr;
        }
    }
    return size;
}

ssize_t berth_relay_send_to(int socket, const void *data, size_t size, const struct berth_peer *peer) {
    union control control;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name;
    struct iovec part = {(void *)data, size};
    struct msghdr message = {.msg_name = &name, .msg_iov = &part, .msg_iovlen = 1};
    memset(&name, 0, sizeof name);
    memset(&control, 0, sizeof control);
    if (peer->is_ipv6) {
        name.v6.sin6_family = AF_INET6;
        name.v6.sin6_port = peer->port;
        name.v6.sin6_scope_id = peer->scope;
        memcpy(name.v6.sin6_addr.s6_addr, &peer->address_high, 8);
        memcpy(name.v6.sin6_addr.s6_addr + 8, &peer->address_low, 8);
        message.msg_namelen = sizeof name.v6;
    } else {
        name.v4.sin_family = AF_INET;
        name.v4.sin_port = peer->port;
        name.v4.sin_addr.s_addr = (in_addr_t)peer->address_low;
        message.msg_namelen = sizeof name.v4;
    }
    if (peer->local_high || peer->local_low) {
        message.msg_control = &control;
        if (peer->is_ipv6) {
            struct in6_pktinfo information;
            memset(&information, 0, sizeof information);
            memcpy(information.ipi6_addr.s6_addr, &peer->local_high, 8);
            memcpy(information.ipi6_addr.s6_addr + 8, &peer->local_low, 8);
            control.header.cmsg_level = IPPROTO_IPV6;
            control.header.cmsg_type = IPV6_PKTINFO;
            control.header.cmsg_len = CMSG_LEN(sizeof information);
            message.msg_controllen = CMSG_SPACE(sizeof information);
            memcpy(CMSG_DATA(&control.header), &information, sizeof information);
        } else {
            struct in_pktinfo information;
            memset(&information, 0, sizeof information);
            information.ipi_spec_dst.s_addr = (in_addr_t)peer->local_low;
            control.header.cmsg_level = IPPROTO_IP;
            control.header.cmsg_type = IP_PKTINFO;
            control.header.cmsg_len = CMSG_LEN(sizeof information);
            message.msg_controllen = CMSG_SPACE(sizeof information);
            memcpy(CMSG_DATA(&control.header), &information, sizeof information);
        }
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t berth_relay_receive(int socket, void *buffer, size_t capacity) {
    ssize_t size;
    do size = recv(socket, buffer, capacity, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    return size;
}

ssize_t berth_relay_send(int socket, const void *data, size_t size) { return send(socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); }

// ---- Descriptors

int berth_raise_file_limit(uint64_t *before, uint64_t *now) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    *before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    *now = limit.rlim_cur;
    return 0;
}
