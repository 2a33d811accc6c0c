// Sockets that are relayed: waiting for many of them at once, moving bytes between them inside the kernel, and the addresses of datagrams.
#ifndef CBERTH_RELAY_H
#define CBERTH_RELAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum berth_socket_kind {
    BERTH_SOCKET_OTHER = 0,
    BERTH_SOCKET_TCP_LISTENER = 1,  // of IPv4 or IPv6
    BERTH_SOCKET_UDP = 2,
};

/// What a descriptor is.
int berth_socket_kind(int descriptor);

/// Whom a datagram is from, and which address of ours it was sent to: the answer goes from there to there.
struct berth_peer {
    uint64_t address_high, address_low;  // the address's bytes as they are; IPv4: in `address_low`
    uint64_t local_high, local_low;
    uint32_t scope;
    uint16_t port;  // as the network has it
    uint16_t is_ipv6;
};

struct berth_relay_event {
    uint64_t number;
    uint8_t reads, writes, ends;
};

/// Waits for a socket in an epoll until told otherwise; with `ends` alone for its breaking, with nothing no longer. Repeating is fine.
int berth_relay_watch(int epoll, int socket, uint64_t number, int reads, int writes, int ends);
/// What has happened, without waiting: the count. A socket that is broken, or over in both directions, `ends`, and counts as both of the others.
int berth_relay_events(int epoll, struct berth_relay_event *events, int capacity);

/// The next connection: close-on-exec, does not block, small writes are not collected, a dead peer is noticed.
int berth_relay_accept(int listener);
/// A connection begun to `address` (4 or 16 bytes): it may still be in progress. For datagrams: a socket for that peer alone.
int berth_relay_connect(int is_stream, const uint8_t *address, size_t size, uint16_t port);
/// Why a connection that was begun has failed: 0 if it has not.
int berth_relay_connect_error(int socket);
/// Moves bytes, one side being a pipe: how many; 0 is the end. Does not wait.
ssize_t berth_relay_splice(int from, int to, size_t size);
/// Ends one's own direction.
int berth_relay_end_writing(int socket);
/// Has the closing of a socket tell the peer that the connection was broken.
int berth_relay_break_at_close(int socket);

/// Has datagrams tell the address that they were sent to.
int berth_relay_prepare_datagrams(int socket);
/// The next datagram, which may be empty. Does not wait.
ssize_t berth_relay_receive_from(int socket, void *buffer, size_t capacity, struct berth_peer *peer);
ssize_t berth_relay_send_to(int socket, const void *data, size_t size, const struct berth_peer *peer);
/// The same with the one peer of a connected socket.
ssize_t berth_relay_receive(int socket, void *buffer, size_t capacity);
ssize_t berth_relay_send(int socket, const void *data, size_t size);

/// Lets this process have as many descriptors as it may: what it could have before, in `*before`, and now, in `*now`.
int berth_raise_file_limit(uint64_t *before, uint64_t *now);

#endif
