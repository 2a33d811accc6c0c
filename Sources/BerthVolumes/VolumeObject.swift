internal import BerthReactor
internal import Synchronization

/// A volume as its store knows it.
final class VolumeObject: Sendable {
    let volume: Volume
    /// For what is done with its files.
    let lane: Lane
    /// How many are filling it. Held while what has been made ready for it is put in, on a thread of a lane.
    let filling = Mutex(0)

    init(_ volume: Volume) {
        self.volume = volume
        lane = Lane(named: "volume \(volume.name.prefix(64))")
    }
}
