import LabCore

/// The command-line options of ssh(1) that `ansible_ssh_common_args` and `ansible_ssh_extra_args` hold.
package enum SSHArguments {
    /// The name of the option that `-F` becomes: it is not one of ssh_config(5).
    package static let configurationFile = "ConfigFile"

    /// Flags with a value, and the option that they are short for.
    private static let valued: [Character: String] = [
        "i": "IdentityFile", "p": "Port", "l": "User", "J": "ProxyJump", "F": configurationFile, "b": "BindAddress",
        "c": "Ciphers", "m": "MACs", "B": "BindInterface",
    ]

    /// Flags without a value.
    private static let plain: [Character: (name: String, value: String)] = [
        "C": ("Compression", "yes"), "4": ("AddressFamily", "inet"), "6": ("AddressFamily", "inet6"),
        "A": ("ForwardAgent", "yes"), "a": ("ForwardAgent", "no"), "T": ("RequestTTY", "no"),
        "t": ("RequestTTY", "yes"), "x": ("ForwardX11", "no"), "q": ("LogLevel", "QUIET"), "v": ("LogLevel", "DEBUG"),
        "k": ("GSSAPIDelegateCredentials", "no"),
    ]

    /// Turns a text like `-o StrictHostKeyChecking=no -J bastion` into options.
    ///
    /// - Parameter span: where the text stands, for the errors.
    /// - Throws: a flag or an option that labctl has no meaning for; each mistake of the text.
    package static func parse(_ text: String, span: SourceSpan? = nil) throws(InputError) -> [Endpoint.Option] {
        guard let words = SSHConfiguration.words(Array(text.utf8)[...]) else {
            throw InputError("a quotation mark is not closed in these ssh arguments: \(text)", span: span)
        }
        var options: [Endpoint.Option] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word.count > 1 else {
                throw InputError("`\(word)` is no option of ssh", span: span, hint: "only options can stand here")
            }
            var flags = word.dropFirst()
            while let flag = flags.popFirst() {
                if let option = plain[flag] {
                    options.append(Endpoint.Option(option.name, option.value))
                    continue
                }
                guard flag == "o" || valued[flag] != nil else {
                    throw InputError(
                        "the ssh option `-\(flag)` has no meaning for labctl", span: span,
                        hint: "use `-o` with an option of ssh_config(5)")
                }
                guard let value = flags.isEmpty ? rest.popFirst() : String(flags) else {
                    throw InputError("the ssh option `-\(flag)` has no value", span: span)
                }
                flags = ""
                if let name = valued[flag] {
                    options.append(Endpoint.Option(name, value))
                } else {
                    options.append(try option(value, span))
                }
            }
        }
        return options
    }

    /// The words of a value that is a list, such as that of `UserKnownHostsFile`.
    package static func words(_ text: String) -> [String] {
        SSHConfiguration.words(Array(text.utf8)[...]) ?? [text]
    }

    /// `Name=value` or `Name value`.
    private static func option(_ text: String, _ span: SourceSpan?) throws(InputError) -> Endpoint.Option {
        let name = text.prefix { $0 != "=" && $0 != " " && $0 != "\t" }
        var value = text[name.endIndex...].drop { $0 == " " || $0 == "\t" }
        if value.first == "=" { value = value.dropFirst().drop { $0 == " " } }
        let keyword = name.lowercased()
        guard SSHConfiguration.keywords.contains(keyword), !["host", "match", "include"].contains(keyword) else {
            let near = nearestName(to: keyword, among: SSHConfiguration.keywords.sorted())
            throw InputError(
                "unknown ssh option `\(name)`", span: span, hint: near.map { "did you mean `\($0)`?" })
        }
        guard !value.isEmpty else { throw InputError("the ssh option `\(name)` has no value", span: span) }
        // ProxyCommand goes to a shell as it is; elsewhere quotes are ssh's own.
        if keyword != "proxycommand", let words = SSHConfiguration.words(Array(value.utf8)[...]), words.count == 1 {
            return Endpoint.Option(String(name), words[0])
        }
        return Endpoint.Option(String(name), String(value))
    }
}
