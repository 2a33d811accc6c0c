// Sockets of the Internet protocol: their addresses have several types under one pointer, which Swift cannot express safely.
#ifndef CBERTH_INTERNET_H
#define CBERTH_INTERNET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where a socket is: 4 or 16 bytes of an address in the network's order, a port, and the number of a link for addresses known to one alone.
struct berth_endpoint {
    uint8_t address[16];
    uint32_t address_size;
    uint32_t scope;
    uint16_t port;
};

/// A socket of this thread's network namespace that does not block, close-on-exec: of TCP (`is_stream`) or UDP, for addresses of so many bytes.
int berth_internet_socket(int address_size, int is_stream);
/// A socket as `berth_internet_socket` makes it, that has this address and port of the host's and waits there: of TCP (0), UDP (1) or SCTP (2). One for
/// addresses of 16 bytes has nothing to do with those of 4. What has just been closed there is no obstacle.
int berth_internet_reserve(int transport, const struct berth_endpoint *endpoint, int waiting_count);
/// Gives a socket its address. With `is_free`, also one that no link of the namespace has (yet).
int berth_internet_bind(int socket, const struct berth_endpoint *endpoint, int is_free);
/// Begins to connect; EINPROGRESS where that goes on.
int berth_internet_connect(int socket, const struct berth_endpoint *endpoint);
/// Listens, with so many connections that wait.
int berth_internet_listen(int socket, int waiting_count);
/// Where a socket is.
int berth_internet_name(int socket, struct berth_endpoint *endpoint);
/// What became of a connection that was begun: 0 or an errno.
int berth_socket_error(int socket);
/// Takes what is there without waiting: a datagram, or some bytes of a stream. `*sender`, where it is not null, is who sent it.
ssize_t berth_internet_receive(int socket, void *buffer, size_t capacity, struct berth_endpoint *sender);
/// Sends without waiting and without a signal, to whom it is connected to.
ssize_t berth_internet_send(int socket, const void *data, size_t size);
/// Sends a datagram without waiting and without a signal, from `sender`'s address where that is one of version 4.
ssize_t berth_internet_send_to(
    int socket, const void *data, size_t size, const struct berth_endpoint *receiver, const struct berth_endpoint *sender);
/// Lets so many bytes wait to be received: beyond the system's limit where the right is there.
int berth_internet_room(int socket, int byte_count);
/// A descriptor of the network namespace that a socket belongs to, close-on-exec.
int berth_socket_namespace(int socket);
/// The number of a link of this thread's network namespace; 0 where there is none of that name.
uint32_t berth_link_number(const char *name);

#endif
