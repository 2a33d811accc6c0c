internal import CBerth

/// The heap of the whole process: for programs to decide about, and not for libraries.
public enum Heap {
    /// Has all threads share so many arenas (mallopt(3), `M_ARENA_MAX`). Of more, each keeps what was freed in it, so that a process whose work wanders from thread to thread
    /// grows with every large job. To be called before other threads exist; calling again changes what is made from then on.
    public static func limitArenas(to count: Int32) { berth_limit_arenas(count) }
}
