// Cases that are one fault each, in several places or sizes: they may have the same text.
extension Hostile {
    static let sameFaults: [Set<String>] = [
        [
            "GNU's old sparse file with regions without end", "a sparse file of the first words with more regions than are taken",
            "a sparse file with a million regions",
        ],
        ["a name of a megabyte", "an extended header of ten megabytes"],
        ["an extended header with a NUL in a name", "an extended link with a NUL"],
        ["a whiteout of nothing", "a whiteout of the directory above", "a whiteout of the directory itself"],
        ["gzip that becomes more than is allowed", "zstd that becomes more than is allowed"],
        ["GNU's old sparse file whose map has no end", "a few bytes", "a long name and no entry"],
        ["gzip that is cut off", "zstd that is cut off"],
        [
            "a deep directory that has become a symbolic link", "a directory that has become a symbolic link",
            "a directory through a symbolic link", "a file through a relative symbolic link",
            "a file through a symbolic link that stays inside", "a file through an absolute symbolic link",
            "a hard link through a symbolic link",
        ],
        [
            "'..' alone", "'..' in front", "'..' that stays inside", "'..' within", "GNU's long name that climbs", "a cpio that climbs",
            "an extended name that climbs",
        ],
        ["GNU's long link that climbs", "a hard link out by '..'", "an extended link that climbs"],
        ["a name for every entry that follows", "an absolute name"],
        ["a size of more bits than a number has", "a size that goes on behind its end", "a size that is no number at all"],
        ["a group beyond all", "an owner less than none", "an owner that cannot be"],
        [
            "overlay's marks for every entry that follows", "overlay's marks for users", "overlay's opaque mark",
            "overlay's opaque mark on the root", "overlay's redirect, as libarchive writes it",
        ],
        ["a device number that cannot be", "a device's second number that cannot be"],
        ["a hard link to itself, which is not there", "a hard link to what is not in the archive", "a link to a whiteout"],
        ["a link to a whiteout", "a link to a whiteout's name"],
        ["a hard link to a directory", "a hard link to the root"],
        ["a cpio with a whiteout of overlay's", "the device 0:0"],
        ["a file below a device", "a file below a file", "a file below a named pipe"],
        ["a root that is a file", "a root that is a symbolic link"],
        [
            "a size for every entry that follows", "a size in the extended header of 8 exabytes", "a size in the header of 8 exabytes",
        ],
        ["GNU's old sparse file that says less than it has", "a sparse file with more data than its regions"],
        ["a sparse file whose numbers overflow", "a sparse file whose region ends beyond it"],
        ["GNU's old sparse file larger than any", "a sparse file that is larger than any"],
        ["a symbolic link longer than a path", "a symbolic link to nothing"],
        // A damaged stream may be decompressed to other bytes, which may be noticed before the checksum is.
        ["bzip2 of no archive", "gzip that is damaged", "no archive at all"],
        ["gzip that is damaged", "gzip whose checksum is of something else"],
    ]
}
