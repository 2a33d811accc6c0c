// Netlink sockets: their addresses have a type that Glibc does not show to Swift.
#ifndef CBERTH_NETLINK_H
#define CBERTH_NETLINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A bound netlink socket of this thread's network namespace, close-on-exec, with extended and capped acknowledgements,
/// strict dumps, and a bound on each wait. `*port` is the number that the kernel chose for it. -1 with errno.
int berth_netlink_open(int protocol, int timeout_milliseconds, uint32_t *port);
/// The port of a socket that is bound already, and whether it is a netlink socket of that protocol: else -1 with EPROTO.
int berth_netlink_port(int socket, int protocol, uint32_t *port);
/// Sends one datagram to the kernel.
ssize_t berth_netlink_send(int socket, const void *data, size_t size);
/// The next datagram's size, without taking it. With `waits` 0: EAGAIN where there is none.
ssize_t berth_netlink_peek(int socket, int waits);
/// Takes one datagram; its whole size is returned, also where the buffer has been too small. `*sender` is 0 for the kernel.
ssize_t berth_netlink_receive(int socket, void *buffer, size_t capacity, int waits, uint32_t *sender);
/// Joins a multicast group.
int berth_netlink_join(int socket, uint32_t group);
/// Lets a datagram of so many bytes be sent, or so many wait: beyond the system's limit where the right is there.
int berth_netlink_room(int socket, int is_for_sending, int byte_count);

/// Moves the calling thread, and nothing else, into a new network namespace.
int berth_unshare_network(void);

#endif
