#ifndef BERTH_PLACES_H
#define BERTH_PLACES_H

#include "performer.h"

#include <sys/types.h>

#define MAXIMUM_PATH 4096

// For performer.c alone: what is found, made and mounted beneath the container's root. -1 with errno is failure.

int berth_close_keeping_errno(int descriptor, int result);
void berth_number_text(char *end_of_text, unsigned int value, const char **start);
int berth_open_in_root(const struct berth_slots *slots, const char *path, uint64_t flags);
int berth_open_or_create(const struct berth_slots *slots, const char *path, int last_is_directory, mode_t permissions);
int berth_enter_namespace(const char *path, int type);
int berth_set_propagation(struct berth_slots *slots, uint64_t flags);
int berth_attach_root(struct berth_slots *slots, const char *place);
int berth_mount_at(const struct berth_slots *slots, const char *type, const char *source, const char *target, uint64_t flags, const char *data);
int berth_bind_from(const struct berth_slots *slots, const char *space, const char *source, const char *target, uint64_t set);
int berth_bind_at(const struct berth_slots *slots, const char *source, const char *target, uint64_t how, uint64_t set, uint64_t propagation);
int berth_bind_beneath(const struct berth_slots *slots, const char *source, const char *path, const char *target, uint64_t how, uint64_t set, uint64_t propagation);
int berth_make_directory(const struct berth_slots *slots, const char *path, mode_t permissions, uid_t user, gid_t group);
int berth_make_device(const struct berth_slots *slots, const char *path, mode_t mode, uint64_t major_number, uint64_t minor_number, uid_t user, gid_t group);
int berth_make_symlink(const struct berth_slots *slots, const char *target, const char *path);
int berth_mask(struct berth_slots *slots, const char *path);
int berth_label(const struct berth_slots *slots, const char *path, const char *label);
int berth_make_read_only(const struct berth_slots *slots, const char *path);
int berth_pivot(struct berth_slots *slots);
int berth_root_read_only(void);

#endif
