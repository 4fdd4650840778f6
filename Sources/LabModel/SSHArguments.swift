import LabCore
import LabTransport

/// Reads the options of OpenSSH's `ssh` that inventories give (`ansible_ssh_common_args`).
struct SSHArguments {
    let variable: String
    let span: SourceSpan?

    /// Sets what the options say. As for `ssh`, of an option given twice the first counts.
    ///
    /// - Throws: `InputError` for options that have no meaning for labctl.
    func apply(_ text: String, to endpoint: inout Endpoint) throws(InputError) {
        let words: [String]
        do {
            words = try ShellWord.split(text).map(\.text)
        } catch {
            throw InputError("a quote in '\(variable)' is not closed", span: span)
        }
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            guard word.hasPrefix("-"), let letter = word.dropFirst().first else {
                throw InputError("'\(word)' in '\(variable)' is no option of ssh", span: span)
            }
            if "46ACTqvxnNt".contains(letter) {
                try applyFlags(word.dropFirst(), to: &endpoint)
                continue
            }
            guard "oJiplc".contains(letter) else {
                throw InputError(
                    "the option '-\(letter)' in '\(variable)' is not offered", span: span,
                    hint: "write it as '-o Name=value' if ssh_config has a name for it")
            }
            var value = String(word.dropFirst(2))
            if value.isEmpty {
                guard index < words.count else {
                    throw InputError("the option '-\(letter)' in '\(variable)' has no value", span: span)
                }
                value = words[index]
                index += 1
            }
            try apply(letter, value, to: &endpoint)
        }
    }

    private func applyFlags(_ letters: Substring, to endpoint: inout Endpoint) throws(InputError) {
        for letter in letters {
            switch letter {
            case "4": add("AddressFamily", "inet", to: &endpoint)
            case "6": add("AddressFamily", "inet6", to: &endpoint)
            case "C": add("Compression", "yes", to: &endpoint)
            // What they change (output, terminals, the agent's forwarding) does not exist here.
            case "A", "T", "q", "v", "x", "n", "N", "t": break
            default: throw InputError("the option '-\(letter)' in '\(variable)' is not offered", span: span)
            }
        }
    }

    private func apply(_ letter: Character, _ value: String, to endpoint: inout Endpoint) throws(InputError) {
        switch letter {
        case "i": endpoint.identityFiles.append(value)
        case "J": add("ProxyJump", value, to: &endpoint)
        case "l": endpoint.user = endpoint.user ?? value
        case "c": add("Ciphers", value, to: &endpoint)
        case "p": if endpoint.port == nil { endpoint.port = try port(value) }
        default: try applyOption(value, to: &endpoint)
        }
    }

    private func port(_ text: String) throws(InputError) -> Int {
        guard let port = Int(text), (1...65535).contains(port) else {
            throw InputError("'\(text)' in '\(variable)' is no port", span: span)
        }
        return port
    }

    private func applyOption(_ text: String, to endpoint: inout Endpoint) throws(InputError) {
        let name = text.prefix { $0 != "=" && !$0.isWhitespace }
        var value = text.dropFirst(name.count).trimmed
        if value.hasPrefix("=") { value = value.dropFirst().trimmed }
        guard !name.isEmpty, !value.isEmpty else {
            throw InputError("'-o \(text)' in '\(variable)' is no 'Name=value'", span: span)
        }
        if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") { value = value.dropFirst().dropLast() }
        let text = String(value)
        switch name.lowercased() {
        case "stricthostkeychecking":
            guard !endpoint.options.contains(where: { $0.name == "StrictHostKeyChecking" }) else { return }
            endpoint.hostKeyPolicy =
                switch text.lowercased() {
                case "no", "off": .off
                case "accept-new": .acceptNew
                case "yes", "ask": .strict
                default: throw InputError("'\(text)' is no value of StrictHostKeyChecking", span: span)
                }
            add("StrictHostKeyChecking", text, to: &endpoint)
        case "port": if endpoint.port == nil { endpoint.port = try port(text) }
        case "user": endpoint.user = endpoint.user ?? text
        case "identityfile": endpoint.identityFiles.append(text)
        case "hostname": endpoint.address = text
        case "connecttimeout":
            guard let seconds = Int(text), seconds > 0 else {
                throw InputError("'\(text)' is no value of ConnectTimeout", span: span)
            }
            endpoint.connectTimeout = .seconds(seconds)
        default: add(String(name), text, to: &endpoint)
        }
    }

    private func add(_ name: String, _ value: String, to endpoint: inout Endpoint) {
        if endpoint.options.contains(where: { $0.name.lowercased() == name.lowercased() }) { return }
        endpoint.options.append(Endpoint.Option(name, value))
    }
}
