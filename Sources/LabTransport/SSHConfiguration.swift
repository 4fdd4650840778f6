import LabCore

/// A file in the form of ssh_config(5): the user's own, the system's, or the output of `vagrant ssh-config`.
package struct SSHConfiguration: Sendable {
    /// One line: a keyword and its arguments, unquoted.
    package struct Directive: Sendable {
        /// In lower case.
        package let keyword: String
        /// As written.
        package let name: String
        package let arguments: [String]
        package let span: SourceSpan
    }

    enum Criterion: Sendable {
        case all
        case final
        case host([String])
        case originalHost([String])
        case user([String])
        case localUser([String])
        case execute(String)
        /// One that never holds here (`canonical`, `tagged`, `localnetwork`).
        case never
    }

    enum Condition: Sendable {
        case always
        case host([String])
        /// Each criterion, and whether it is negated.
        case match([(Criterion, negated: Bool)])
    }

    enum Item: Sendable {
        case directive(Directive)
        case include([SSHConfiguration])
    }

    struct Section: Sendable {
        var condition: Condition
        var items: [Item] = []
    }

    var sections: [Section] = []

    /// The host names that `Host` lines spell out, without patterns, in the order of the file.
    package var hostAliases: [String] {
        var aliases: [String] = []
        func add(_ configuration: SSHConfiguration) {
            for section in configuration.sections {
                if case .host(let patterns) = section.condition {
                    for pattern in patterns
                    where !pattern.hasPrefix("!") && !pattern.contains(where: { "*?".contains($0) })
                        && !aliases.contains(pattern)
                    {
                        aliases.append(pattern)
                    }
                }
                for case .include(let files) in section.items { files.forEach(add) }
            }
        }
        add(self)
        return aliases
    }

    /// What decides which `Host` and `Match` blocks apply.
    package struct Query: Sendable {
        /// The name that was asked for.
        package var host: String
        package var user: String?
        /// The port that was asked for.
        package var port: Int?
        package var localUser: String
        /// Further tokens of `Match exec` (ssh_config(5), "TOKENS"): `d`, `i`, `l`, `L`.
        package var tokens: [Character: String]
        /// Runs a `Match exec` command; nil treats such a block as not matching.
        package var execute: (@Sendable (String) -> Bool)?

        package init(
            host: String, user: String? = nil, port: Int? = nil, localUser: String = "",
            tokens: [Character: String] = [:], execute: (@Sendable (String) -> Bool)? = nil
        ) {
            self.host = host
            self.user = user
            self.port = port
            self.localUser = localUser
            self.tokens = tokens
            self.execute = execute
        }
    }

    /// The options for a host, in the order of the file: for each keyword the first value, or all of the few that add up
    /// (`IdentityFile`, `CertificateFile`, `SendEnv`, `SetEnv`).
    package func resolve(host: String) -> [Endpoint.Option] {
        SSHConfiguration.resolve([self], Query(host: host))
    }

    /// The options for a host out of several files, the first file first.
    package static func resolve(_ files: [SSHConfiguration], _ query: Query) -> [Endpoint.Option] {
        var resolution = Resolution(query: query)
        for file in files { resolution.apply(file) }
        if files.contains(where: \.hasFinal) {
            resolution.isFinal = true
            for file in files { resolution.apply(file) }
        }
        return resolution.options
    }

    private var hasFinal: Bool {
        sections.contains { section in
            if case .match(let criteria) = section.condition,
                criteria.contains(where: { if case .final = $0.0 { true } else { false } })
            {
                return true
            }
            return section.items.contains {
                if case .include(let files) = $0 { files.contains(where: \.hasFinal) } else { false }
            }
        }
    }
}

/// The options found so far.
private struct Resolution {
    let query: SSHConfiguration.Query
    var isFinal = false
    var options: [Endpoint.Option] = []
    private var seen: Set<String> = []
    private var accumulated: Set<Endpoint.Option> = []

    init(query: SSHConfiguration.Query) { self.query = query }

    mutating func apply(_ file: SSHConfiguration) {
        for section in file.sections where holds(section.condition) {
            for item in section.items {
                switch item {
                case .include(let files): for file in files { apply(file) }
                case .directive(let directive): add(directive)
                }
            }
        }
    }

    private mutating func add(_ directive: SSHConfiguration.Directive) {
        if directive.keyword == "setenv" {
            // One line of it counts, with all of its variables.
            guard seen.insert(directive.keyword).inserted else { return }
            options += directive.arguments.map { Endpoint.Option(directive.name, $0) }
        } else if SSHConfiguration.addingUp.contains(directive.keyword) {
            for argument in directive.arguments {
                let option = Endpoint.Option(directive.name, argument)
                if accumulated.insert(option).inserted { options.append(option) }
            }
        } else if seen.insert(directive.keyword).inserted {
            options.append(Endpoint.Option(directive.name, directive.value))
        }
    }

    private func value(_ keyword: String) -> String? {
        options.first { $0.name.lowercased() == keyword }?.value
    }

    private func holds(_ condition: SSHConfiguration.Condition) -> Bool {
        switch condition {
        case .always: true
        // The name as it was typed; in the last pass the one that it stands for.
        case .host(let patterns): Wildcard.matches(list: patterns, isFinal ? hostName : query.host)
        case .match(let criteria): criteria.allSatisfy { holds($0.0) != $0.negated }
        }
    }

    private func holds(_ criterion: SSHConfiguration.Criterion) -> Bool {
        switch criterion {
        case .all: return true
        case .final: return isFinal
        case .never: return false
        case .host(let patterns): return Wildcard.matches(list: patterns, hostName)
        case .originalHost(let patterns): return Wildcard.matches(list: patterns, query.host.lowercased())
        case .user(let patterns):
            return Wildcard.matches(list: patterns, query.user ?? value("user") ?? query.localUser)
        case .localUser(let patterns): return Wildcard.matches(list: patterns, query.localUser)
        case .execute(let command): return query.execute?(expand(command)) ?? false
        }
    }

    /// The name to connect to, as far as it is known.
    private var hostName: String {
        (value("hostname") ?? query.host).replacing("%h", with: query.host).replacing("%%", with: "%").lowercased()
    }

    private func expand(_ command: String) -> String {
        guard command.contains("%") else { return command }
        var tokens = query.tokens
        tokens["%"] = "%"
        tokens["h"] = hostName
        tokens["n"] = query.host
        tokens["k"] = value("hostkeyalias") ?? query.host
        tokens["p"] = query.port.map { String($0) } ?? value("port") ?? "22"
        tokens["r"] = query.user ?? value("user") ?? query.localUser
        tokens["u"] = query.localUser
        var result = ""
        var rest = command[...]
        while let character = rest.popFirst() {
            if character == "%", let token = rest.first, let text = tokens[token] {
                rest = rest.dropFirst()
                result += text
            } else {
                result.append(character)
            }
        }
        return result
    }
}

extension SSHConfiguration.Directive {
    /// The arguments as one text; those with spaces are quoted, so that lists of paths can be taken apart again.
    var value: String {
        if arguments.count == 1 { return arguments[0] }
        return arguments.map { $0.contains(" ") || $0.isEmpty ? "\"\($0)\"" : $0 }.joined(separator: " ")
    }
}
