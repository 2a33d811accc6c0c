// The room's first file, until the room has another.
