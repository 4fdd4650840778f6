/// The names under which people write passwords, tokens and keys into their files.
enum SecretWords {
    private static let names: Set<String> = [
        "api_key", "token", "password", "passphrase", "url_password", "login_password", "ansible_password",
        "ansible_ssh_pass", "ansible_ssh_password", "ansible_become_pass", "ansible_become_password",
        "ansible_sudo_pass", "client-key-data",
    ]

    /// A line in which the values of such names (`password: x`, `ansible_password=x`) are asterisks, as many as they have
    /// characters, so that a caret under the line stays right. Templates are left: they hold no secret themselves.
    static func masked(_ line: String) -> String {
        var shown: [Character] = []
        var word = ""
        var rest = line[...]
        while let character = rest.popFirst() {
            shown.append(character)
            guard character == ":" || character == "=" else {
                if isNamePart(character) {
                    word.append(character)
                } else if character != "\"" && character != "'" {
                    word = ""
                }
                continue
            }
            defer { word = "" }
            guard names.contains(word.lowercased()) else { continue }
            while let space = rest.first, space == " " || space == "\t" {
                shown.append(space)
                rest.removeFirst()
            }
            let value = value(rest)
            shown += value.contains("{{") ? Array(value) : Array(repeating: "*", count: value.count)
            rest = rest.dropFirst(value.count)
        }
        return String(shown)
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_" || character == "-")
    }

    /// A quoted text, or everything up to what may end a plain one.
    private static func value(_ text: Substring) -> Substring {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            return text.hasPrefix("{{") ? text : text.prefix { ![",", "}", "]", " ", "\t", "#"].contains($0) }
        }
        guard let end = text.dropFirst().firstIndex(of: quote) else { return text }
        return text[...end]
    }
}
