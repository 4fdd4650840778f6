import LabCore
import LabTransport

/// What ssh_config(5) says of interactive logins.
package struct InteractiveSettings: Sendable, Hashable {
    /// When a terminal is asked for on the node (RequestTTY).
    package enum TerminalRequest: Sendable, Hashable {
        /// A terminal for a shell and none for a command.
        case auto
        case never
        /// Also for a command, where there is a terminal here.
        case always
        /// Even where there is none here.
        case force
    }

    /// Patterns of variables to pass on (SendEnv).
    package var sendEnvironment: [String] = []
    /// Variables to set on the node (SetEnv), which win over those passed on.
    package var setEnvironment: [String] = []
    /// The character that starts an escape at the beginning of a line; nil for none.
    package var escapeCharacter: UInt8? = UInt8(ascii: "~")
    package var terminal = TerminalRequest.auto
    /// What to run instead of a shell.
    package var remoteCommand: String?
    package var forwardsAgent = false

    init() {}

    init(_ values: OptionValues) throws(ConnectionError) {
        // One minus takes back what was asked for before (ssh_config(5), SendEnv).
        for pattern in values.all("sendenv") {
            if pattern.hasPrefix("-") {
                sendEnvironment.removeAll { Wildcard.matches(String(pattern.dropFirst()), $0) }
            } else {
                sendEnvironment.append(pattern)
            }
        }
        setEnvironment = values.all("setenv")
        switch values["requesttty"]?.lowercased() {
        case nil, "auto": terminal = .auto
        case "no", "false": terminal = .never
        case "yes", "true": terminal = .always
        case "force": terminal = .force
        case let other?: throw values.wrong("RequestTTY", other)
        }
        if let text = values["escapechar"] {
            guard let character = Self.escape(text) else { throw values.wrong("EscapeChar", text) }
            escapeCharacter = character
        }
        if let command = values["remotecommand"], command.lowercased() != "none" { remoteCommand = command }
        forwardsAgent = values.flag("forwardagent") ?? false
    }

    /// Reads `~`, `^X` and `none`.
    ///
    /// - Returns: nil for anything else; a nil within for `none`.
    package static func escape(_ text: String) -> UInt8?? {
        if text.lowercased() == "none" { return .some(nil) }
        let bytes = Array(text.utf8)
        if bytes.count == 1, bytes[0] < 0x80 { return bytes[0] }
        if bytes.count == 2, bytes[0] == UInt8(ascii: "^"), (0x40..<0x80).contains(bytes[1]) { return bytes[1] & 31 }
        return .none
    }

    /// The variables of `environment` that the node is asked to take, each name once.
    package func environment(from environment: [String: String]) -> [(name: String, value: String)] {
        var chosen = environment.filter { name, _ in sendEnvironment.contains { Wildcard.matches($0, name) } }
        for text in setEnvironment {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2 { chosen[parts[0]] = parts[1] }
        }
        // TERM goes with the terminal.
        chosen["TERM"] = nil
        return chosen.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }
}
