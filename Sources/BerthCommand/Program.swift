internal import Glibc

/// `berth`: Docker's command line for Berth, and for any other daemon that speaks Docker's Engine API.
@main
struct Program {
    static func main() {
        exit(Front.run(Array(CommandLine.arguments.dropFirst())))
    }
}
