import LabTransport

/// Splits a command line into words as a POSIX shell would, without expanding anything (Python's `shlex.split`).
///
/// - Throws: `ModuleError` when a quote is not closed or the text ends with a backslash.
package func shellWords(_ text: String) throws(ModuleError) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    var isInWord = false
    var quote: Unicode.Scalar?
    var scalars = text.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
        if quote == "'" {
            if scalar == "'" { quote = nil } else { word.append(scalar) }
        } else if quote == "\"" {
            if scalar == "\"" {
                quote = nil
            } else if scalar == "\\" {
                guard let next = scalars.next() else { throw ModuleError("the command ends inside of a quotation") }
                // Between double quotes the backslash only escapes what shlex lists for POSIX mode.
                if next != "\"" && next != "\\" { word.append(scalar) }
                word.append(next)
            } else {
                word.append(scalar)
            }
        } else {
            switch scalar {
            case "'", "\"":
                quote = scalar
                isInWord = true
            case "\\":
                guard let next = scalars.next() else { throw ModuleError("the command ends with a backslash") }
                word.append(next)
                isInWord = true
            case " ", "\t", "\r", "\n":
                if isInWord { words.append(String(word)) }
                word = String.UnicodeScalarView()
                isInWord = false
            default:
                word.append(scalar)
                isInWord = true
            }
        }
    }
    if quote != nil {
        throw ModuleError(
            "a quotation in the command is not closed", hint: "close the quote, or give the command as a list with argv"
        )
    }
    if isInWord { words.append(String(word)) }
    return words
}

/// A program and its arguments as a shell text that expands `$NAME`, `${NAME}` and a leading `~` and nothing else,
/// as Ansible's `expand_argument_vars` has it: an undefined variable stays as it is written. Nil when there is
/// nothing to expand.
package func expandingShellText(_ arguments: [String]) -> String? {
    guard arguments.contains(where: { $0.hasPrefix("~") || $0.unicodeScalars.contains("$") }) else { return nil }
    return "exec " + arguments.map(expandingWord).joined(separator: " ")
}

private func expandingWord(_ word: String) -> String {
    var rest = word.unicodeScalars[...]
    var pieces: [String] = []
    if rest.first == "~" {
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let user = rest[..<end].dropFirst()
        if user.allSatisfy(isNameScalar) {
            pieces.append(user.isEmpty ? "\"${HOME-~}\"" : String(rest[..<end]))
            rest = rest[end...]
        }
    }
    var literal = ""
    while let scalar = rest.first {
        if scalar == "$", let (name, length) = variableReference(rest) {
            if !literal.isEmpty { pieces.append(ShellQuoting.quote(literal)) }
            literal = ""
            let written = String(rest.prefix(length)).replacingDollar()
            pieces.append("\"${\(name)-\(written)}\"")
            rest = rest.dropFirst(length)
        } else {
            literal.unicodeScalars.append(scalar)
            rest = rest.dropFirst()
        }
    }
    if !literal.isEmpty || pieces.isEmpty { pieces.append(ShellQuoting.quote(literal)) }
    return pieces.joined()
}

/// The variable that a text starting with `$` names, and how many scalars the reference takes.
private func variableReference(_ text: Substring.UnicodeScalarView) -> (name: String, length: Int)? {
    let afterDollar = text.dropFirst()
    let isBraced = afterDollar.first == "{"
    let name = (isBraced ? afterDollar.dropFirst() : afterDollar).prefix(while: isNameScalar)
    guard let first = name.first, !("0"..."9").contains(first) else { return nil }
    if !isBraced { return (String(name), name.count + 1) }
    guard afterDollar.dropFirst(1 + name.count).first == "}" else { return nil }
    return (String(name), name.count + 3)
}

private func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: false
    }
}

extension String {
    /// Dollars escaped and a closing brace too, for use as the default inside of `"${…-…}"`.
    fileprivate func replacingDollar() -> String {
        reduce(into: "") { result, character in
            if character == "$" || character == "}" { result.append("\\") }
            result.append(character)
        }
    }
}
