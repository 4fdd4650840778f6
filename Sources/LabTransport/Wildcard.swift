/// Patterns of ssh_config(5) and known_hosts: `*` is any run of characters, `?` any one.
package enum Wildcard {
    /// Whether a pattern matches a whole text; case matters, and `?` is one byte of its UTF-8.
    package static func matches(_ pattern: String, _ text: String) -> Bool {
        matches(Array(pattern.utf8)[...], Array(text.utf8)[...])
    }

    /// Whether a list of patterns matches: one must, and none with a `!` in front may.
    package static func matches(list: some Sequence<String>, _ text: String) -> Bool {
        var matched = false
        for pattern in list {
            if pattern.hasPrefix("!") {
                if matches(String(pattern.dropFirst()), text) { return false }
            } else if !matched {
                matched = matches(pattern, text)
            }
        }
        return matched
    }

    /// The same for texts that are given as bytes.
    package static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var p = pattern.startIndex
        var t = text.startIndex
        // Where to go on when what follows the last star does not fit: one character later.
        var retry: (pattern: Int, text: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                retry = (p + 1, t)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = retry {
                retry = (last.pattern, last.text + 1)
                (p, t) = (last.pattern, last.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
