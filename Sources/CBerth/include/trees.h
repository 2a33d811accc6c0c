/// Mount trees that are seen through a descriptor alone: detached copies, which go with it. None of them has set-id programs, programs or devices that work.
#ifndef BERTH_TREES_H
#define BERTH_TREES_H

#include <stddef.h>

/// One mount over a place of a tree.
struct berth_tree_mount {
    const char *source;  // of the host
    const char *target;  // beneath the tree's root, without a slash in front
    int read_only;
};

/// What a tree is made of.
struct berth_tree {
    int base;                   // the directory that the names are relative to
    const char *const *lowers;  // the uppermost first
    size_t lower_count;
    const char *upper, *work;  // NULL: read-only
    const char *directory;     // a directory instead of layers, or NULL
    const char *place;         // an existing directory, where the tree is put together in a mount namespace that nobody else sees
    const struct berth_tree_mount *mounts;
    size_t mount_count;
    int for_reading;
};

/// A copy of all that is mounted in a mount namespace but for /proc, /sys and /dev, or of what is mounted as its root alone; or -1. Waits for a thread of its
/// own.
int berth_tree_of_namespace(int namespace_descriptor, int for_reading, int root_alone);
/// Layers with mounts over them, or -1; then `failed` is the index of the mount that is to blame, or `mount_count`. Waits for a thread of its own.
/// A target that is not there is ENOENT with `lacks_target`.
int berth_tree_of_layers(const struct berth_tree *tree, size_t *failed, int *lacks_target);
/// Whether a name in a directory, not followed, is where something is mounted: 1, 0, or -1.
int berth_is_mount_root(int directory, const char *name);
/// Whether what is open lies in a mount that can only be read: 1, 0, or -1.
int berth_is_read_only(int descriptor);

#endif
