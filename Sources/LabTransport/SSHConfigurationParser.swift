import LabCore

extension SSHConfiguration {
    /// Gives the files that an `Include` names (patterns and `~` resolved), in order.
    package typealias Includer = (_ pattern: String) throws(InputError) -> [SourceFile]

    /// Reads a file.
    ///
    /// - Parameter include: reads included files; nil leaves `Include` lines out.
    /// - Throws: all mistakes of the file together, each with its place.
    package static func parse(_ file: SourceFile, include: Includer? = nil) throws(InputError) -> SSHConfiguration {
        try parse(file, include: include, depth: 0)
    }

    private static func parse(
        _ file: SourceFile, include: Includer?, depth: Int
    ) throws(InputError) -> SSHConfiguration {
        var parser = Parser(file: file)
        var configuration = SSHConfiguration()
        configuration.sections = [Section(condition: .always)]
        for directive in parser.directives() {
            switch directive.keyword {
            case "host":
                configuration.sections.append(Section(condition: .host(directive.arguments)))
            case "match":
                configuration.sections.append(Section(condition: parser.match(directive)))
            case "include":
                guard let include else { continue }
                guard depth < 16 else {
                    parser.complain("includes are nested too deeply", directive.span)
                    continue
                }
                var files: [SSHConfiguration] = []
                for pattern in directive.arguments {
                    do throws(InputError) {
                        for file in try include(pattern) {
                            do throws(InputError) {
                                files.append(try parse(file, include: include, depth: depth + 1))
                            } catch {
                                parser.mistakes += error.diagnostics
                            }
                        }
                    } catch {
                        // A file that cannot be read has no place of its own.
                        parser.mistakes += error.diagnostics.map { mistake in
                            Diagnostic(mistake.message, span: mistake.span ?? directive.span, hint: mistake.hint)
                        }
                    }
                }
                configuration.sections[configuration.sections.count - 1].items.append(.include(files))
            default:
                parser.check(directive)
                configuration.sections[configuration.sections.count - 1].items.append(.directive(directive))
            }
        }
        if !parser.mistakes.isEmpty { throw InputError(parser.mistakes) }
        return configuration
    }
}

/// Lines to directives.
private struct Parser {
    let file: SourceFile
    var mistakes: [Diagnostic] = []
    private var ignored: [String] = []

    init(file: SourceFile) { self.file = file }

    mutating func complain(_ message: String, _ span: SourceSpan, hint: String? = nil) {
        mistakes.append(Diagnostic(message, span: span, hint: hint))
    }

    mutating func directives() -> [SSHConfiguration.Directive] {
        var directives: [SSHConfiguration.Directive] = []
        var start = 0
        for line in file.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            defer { start += line.count + 1 }
            if let directive = directive(line, at: start) { directives.append(directive) }
        }
        return directives
    }

    private mutating func directive(_ line: ArraySlice<UInt8>, at start: Int) -> SSHConfiguration.Directive? {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0C }
        let text = line.drop(while: blank)
        guard let first = text.first, first != UInt8(ascii: "#") else { return nil }
        let offset = start + (text.startIndex - line.startIndex)
        let word = text.prefix { !blank($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") }
        let name = String(decoding: word, as: UTF8.self)
        let span = file.span(offset..<(offset + word.count))
        var rest = text[word.endIndex...].drop(while: blank)
        if rest.first == UInt8(ascii: "=") { rest = rest.dropFirst().drop(while: blank) }
        let keyword = name.lowercased()
        guard SSHConfiguration.keywords.contains(keyword) else {
            if Wildcard.matches(list: ignored, keyword) { return nil }
            let near = nearestName(to: keyword, among: SSHConfiguration.keywords.sorted())
            complain("unknown keyword `\(name)`", span, hint: near.map { "did you mean `\($0)`?" })
            return nil
        }
        let whole = file.span(offset..<(start + line.count))
        var arguments: [String]
        // Two keywords take the rest of the line as it is, for a shell.
        if keyword == "proxycommand" || keyword == "localcommand" || keyword == "remotecommand" {
            arguments = [String(decoding: rest.reversed().drop(while: blank).reversed(), as: UTF8.self)]
            if arguments == [""] { arguments = [] }
        } else {
            guard let words = SSHConfiguration.words(rest) else {
                complain("a quotation mark is not closed", whole)
                return nil
            }
            arguments = words
        }
        guard !arguments.isEmpty else {
            complain("`\(name)` has no value", span)
            return nil
        }
        if keyword == "ignoreunknown" {
            ignored += arguments.flatMap { $0.lowercased().split(separator: ",").map(String.init) }
        }
        return SSHConfiguration.Directive(keyword: keyword, name: name, arguments: arguments, span: whole)
    }

    /// Whether a value is of its keyword's kind.
    mutating func check(_ directive: SSHConfiguration.Directive) {
        if directive.arguments.count > 1, SSHConfiguration.singleWord.contains(directive.keyword) {
            return complain(
                "`\(directive.name)` takes one value, and there are \(directive.arguments.count)", directive.span,
                hint: "put a value with spaces in quotation marks")
        }
        guard let kind = SSHConfiguration.kinds[directive.keyword], let value = directive.arguments.first else {
            return
        }
        switch kind {
        case .port:
            guard let number = Int(value), (1...65_535).contains(number) else {
                return complain("`\(value)` is no port", directive.span)
            }
        case .choice(let choices):
            if !choices.contains(value.lowercased()) {
                complain(
                    "`\(value)` is no value for \(directive.name)", directive.span,
                    hint: "it is one of \(choices.joined(separator: ", "))")
            }
        case .time:
            if value.lowercased() != "none", SSHConfiguration.duration(value) == nil {
                complain("`\(value)` is no time", directive.span, hint: "write seconds, or a number with s, m, h or d")
            }
        case .number:
            if Int(value) == nil { complain("`\(value)` is no number", directive.span) }
        }
    }

    mutating func match(_ directive: SSHConfiguration.Directive) -> SSHConfiguration.Condition {
        var criteria: [(SSHConfiguration.Criterion, negated: Bool)] = []
        var words = directive.arguments[...]
        while let word = words.popFirst() {
            let negated = word.hasPrefix("!")
            var name = (negated ? String(word.dropFirst()) : word).lowercased()
            var inline: String?
            if let equals = name.firstIndex(of: "=") {
                inline = String(word.drop { $0 != "=" }.dropFirst())
                name = String(name[..<equals])
            }
            switch name {
            case "all":
                if !words.isEmpty { complain("`Match all` stands alone", directive.span) }
                criteria.append((.all, negated))
                continue
            case "final":
                criteria.append((.final, negated))
                continue
            case "canonical":
                criteria.append((.never, negated))
                continue
            default: break
            }
            guard let value = inline ?? words.popFirst() else {
                complain("`Match \(name)` has no value", directive.span)
                break
            }
            let patterns = value.split(separator: ",").map(String.init)
            let lowered = patterns.map { $0.lowercased() }
            switch name {
            case "host": criteria.append((.host(lowered), negated))
            case "originalhost": criteria.append((.originalHost(lowered), negated))
            case "user": criteria.append((.user(patterns), negated))
            case "localuser": criteria.append((.localUser(patterns), negated))
            case "exec": criteria.append((.execute(value), negated))
            case "tagged", "localnetwork", "version", "sessiontype", "command": criteria.append((.never, negated))
            default:
                let known = ["all", "final", "canonical", "host", "originalhost", "user", "localuser", "exec"]
                complain(
                    "unknown criterion `\(name)`", directive.span,
                    hint: nearestName(to: name, among: known).map { "did you mean `\($0)`?" })
            }
        }
        return .match(criteria)
    }
}

extension SSHConfiguration {
    /// Takes words apart as ssh does: white space separates, quotation marks group, `#` before a word starts a comment.
    ///
    /// - Returns: nil when a quotation mark is not closed.
    static func words(_ text: ArraySlice<UInt8>) -> [String]? {
        var words: [String] = []
        var bytes = text
        while let first = bytes.first {
            if first == 0x20 || first == 0x09 || first == 0x0D {
                bytes = bytes.dropFirst()
                continue
            }
            if first == UInt8(ascii: "#") { break }
            var word: [UInt8] = []
            var quote: UInt8?
            while let byte = bytes.first {
                if let open = quote {
                    if byte == open {
                        quote = nil
                    } else if byte == UInt8(ascii: "\\"), let next = bytes.dropFirst().first,
                        next == open || next == UInt8(ascii: "\\")
                    {
                        bytes = bytes.dropFirst()
                        word.append(next)
                    } else {
                        word.append(byte)
                    }
                } else if byte == 0x20 || byte == 0x09 || byte == 0x0D {
                    break
                } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                } else if byte == UInt8(ascii: "\\"), let next = bytes.dropFirst().first,
                    next == 0x20 || next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") || next == byte
                {
                    bytes = bytes.dropFirst()
                    word.append(next)
                } else {
                    word.append(byte)
                }
                bytes = bytes.dropFirst()
            }
            if quote != nil { return nil }
            words.append(String(decoding: word, as: UTF8.self))
        }
        return words
    }

    /// A time as sshd_config(5), "TIME FORMATS" has it: `90`, `10m`, `1h30m`.
    package static func duration(_ text: String) -> Duration? {
        var seconds = 0
        var number: Int?
        for character in text.lowercased() {
            if let digit = character.wholeNumberValue {
                let (product, overflow) = (number ?? 0).multipliedReportingOverflow(by: 10)
                guard !overflow, product < 1_000_000_000 else { return nil }
                number = product + digit
                continue
            }
            let factor: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
            guard let value = number, let unit = factor[character] else { return nil }
            seconds += value * unit
            number = nil
        }
        if text.isEmpty { return nil }
        return .seconds(seconds + (number ?? 0))
    }
}
