/// A question before something that cannot be taken back.
enum Confirmation {
    /// Asks. Anything but `y` is no.
    static func isGiven(_ question: String) throws(Failure) -> Bool {
        try Output.text(question + " [y/N] ")
        return readLine()?.lowercased() == "y"
    }
}
