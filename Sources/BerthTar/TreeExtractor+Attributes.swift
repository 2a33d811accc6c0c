internal import BerthLinux

// Owners, modes, extended attributes and times of what has been unpacked.
extension TreeExtractor {
    /// Of a file or directory that is open: what it has already is not set again.
    func setAttributes(of entry: TarEntry, ofFile file: borrowing OwnedDescriptor) throws(TarError) {
        do throws(Errno) {
            let status = try file.status()
            let isOwned = rules?.owner == .creator || (status.userID == entry.userID && status.groupID == entry.groupID)
            // A change of owner clears set-id bits and capabilities: it comes first.
            if !isOwned { try file.setOwner(userID: entry.userID, groupID: entry.groupID) }
            if !isOwned || status.permissions != entry.permissions { try file.setPermissions(entry.permissions) }
        } catch { throw .storage("set the owner and mode of", entry, error) }
        for (attribute, value) in entry.extendedAttributes {
            do throws(Errno) { try file.setExtendedAttribute(attribute, to: value) } catch {
                try noteMissing(attribute, of: entry, error)
            }
        }
    }

    /// Of what cannot be opened.
    func setAttributes(of entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory) throws(TarError) {
        do throws(Errno) {
            if rules?.owner != .creator { try parent.setOwner(name, userID: entry.userID, groupID: entry.groupID) }
            if entry.kind != .symbolicLink { try parent.setPermissions(name, entry.permissions) }
        } catch { throw .storage("set the owner and mode of", entry, error) }
        for (attribute, value) in entry.extendedAttributes {
            do throws(Errno) { try parent.setExtendedAttribute(attribute, to: value, of: name) } catch {
                try noteMissing(attribute, of: entry, error)
            }
        }
    }

    private func noteMissing(_ attribute: String, of entry: TarEntry, _ error: Errno) throws(TarError) {
        // The file system keeps none, or none on this kind of file.
        guard rules != nil || attribute.hasPrefix("user."), error == .EOPNOTSUPP || error == .EPERM else {
            throw .storage("set the attribute '\(String(attribute.prefix(256)))' of", entry, error)
        }
        droppedAttributes.insert(attribute)
    }

    func setTimes(_ entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory) throws(TarError) {
        do throws(Errno) {
            try parent.setTimes(name, access: entry.modificationTime, modification: entry.modificationTime)
        } catch { throw .storage("set the time of", entry, error) }
    }
}
