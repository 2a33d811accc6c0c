/// A list as it comes from the kernel, message by message.
struct NetlinkListing {
    /// What a message was.
    enum Step: Hashable {
        /// A part of the list, or nothing.
        case more
        /// The kernel's word on how it went: the list's end, or an error.
        case told
        /// Parts were thrown away.
        case overrun
    }

    /// The list's messages so far.
    private(set) var found: [NetlinkMessage] = []
    /// Whether nothing has changed meanwhile, as far as the kernel has told.
    private(set) var isConsistent = true
    /// Whether that was all.
    private(set) var isEnded = false

    mutating func take(_ message: NetlinkMessage) -> Step {
        // Any message may have the flag, also the last one.
        if message.flags & NetlinkMessage.Flags.isInterrupted != 0 { isConsistent = false }
        switch message.type {
        case NetlinkMessage.ControlType.done:
            isEnded = true
            return .told
        case NetlinkMessage.ControlType.error: return .told
        case NetlinkMessage.ControlType.noOperation: return .more
        case NetlinkMessage.ControlType.overrun: return .overrun
        default:
            found.append(message)
            return .more
        }
    }
}
