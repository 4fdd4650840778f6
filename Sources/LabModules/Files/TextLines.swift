import LabCore

/// The lines of a file, each with its line break, for the modules that edit single lines.
struct TextLines: Sendable, Equatable {
    var lines: [String]

    init(_ bytes: [UInt8]) {
        lines = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? rest.endIndex
            lines.append(String(decoding: rest[..<end], as: UTF8.self))
            rest = rest[end...]
        }
    }

    var bytes: [UInt8] { lines.flatMap { Array($0.utf8) } }

    /// A line without its line break.
    func text(_ index: Int) -> String {
        var view = lines[index].unicodeScalars[...]
        while let last = view.last, last == "\n" || last == "\r" { view = view.dropLast() }
        return String(view)
    }

    /// Gives the last line a break when it has none.
    mutating func endLastLine() {
        guard let last = lines.last, last.unicodeScalars.last != "\n", last.unicodeScalars.last != "\r" else { return }
        lines[lines.count - 1] += "\n"
    }
}

/// A pattern as Ansible's modules take it (Python's `re`, whose common part Swift's expressions share).
struct LinePattern {
    private let regex: Regex<AnyRegexOutput>

    /// - Throws: `ModuleError` when the text is no regular expression.
    init(_ text: String, parameter: String, _ call: ModuleCall) throws(ModuleError) {
        guard let regex = try? Regex(text) else {
            throw ModuleError(
                "\(parameter) is no regular expression: \(text)", span: call.source[parameter]?.span ?? call.span,
                failureClass: .input)
        }
        self.regex = regex
    }

    func matches(_ line: String) -> Bool { (try? regex.firstMatch(in: line)) != nil }

    /// The template with `\1`, `\g<1>` and `\g<name>` replaced by what the groups matched in the line; nil when the line
    /// does not match.
    func expand(_ template: String, matching line: String) -> String? {
        (try? regex.firstMatch(in: line)).map { Self.expand(template, $0.output) }
    }

    /// The text with every match replaced by the expanded template (Python's `re.sub`), and how many there were.
    func replaceAll(in text: Substring, with template: String) -> (text: String, count: Int) {
        let matches = text.matches(of: regex.anchorsMatchLineEndings())
        var result = ""
        var copied = text.startIndex
        for match in matches {
            result += text[copied..<match.range.lowerBound]
            result += Self.expand(template, match.output)
            copied = match.range.upperBound
        }
        return (result + text[copied...], matches.count)
    }

    /// Where the first match begins and ends; lines are not told apart.
    func firstRange(in text: Substring) -> Range<String.Index>? {
        (try? regex.dotMatchesNewlines().firstMatch(in: text))?.range
    }

    private static func expand(_ template: String, _ output: AnyRegexOutput) -> String {
        func group(_ name: Substring) -> Substring {
            if let number = Int(name) { return number < output.count ? output[number].substring ?? "" : "" }
            return output.first { $0.name == String(name) }?.substring ?? ""
        }
        var result = ""
        var rest = template[...]
        while let character = rest.popFirst() {
            guard character == "\\", let next = rest.first else {
                result.append(character)
                continue
            }
            if next.isWholeNumber {
                let digits = rest.prefix { $0.isWholeNumber }.prefix(2)
                result += group(digits)
                rest = rest.dropFirst(digits.count)
            } else if rest.hasPrefix("g<"), let end = rest.firstIndex(of: ">") {
                result += group(rest[..<end].dropFirst(2))
                rest = rest[rest.index(after: end)...]
            } else {
                rest.removeFirst()
                result += next == "n" ? "\n" : next == "t" ? "\t" : String(next)
            }
        }
        return result
    }
}

/// A file of the node that a module edits in parts.
struct EditedFile: Sendable {
    let path: String
    let status: FileStatus
    var text: TextLines

    /// Reads the file of a call; an absent one is empty when `create` allows it.
    ///
    /// - Throws: `ModuleError` when it is absent, or is a folder.
    init(_ call: ModuleCall, needsFile: Bool, in context: ModuleContext) async throws {
        path = call["path"]?.string ?? ""
        let (found, bytes) = try await context.contents(of: path, FileQuery(followsLinks: true, checksum: "sha1"))
        status = found
        guard status.kind != .directory else { throw ModuleError("\(path) is a folder", span: call.span) }
        guard status.exists || !needsFile || call["create"]?.bool == true else {
            throw ModuleError(
                "\(context.hostName) has no file \(path)", span: call.source["path"]?.span ?? call.span,
                hint: "give create: true to make it", values: ["rc": 257])
        }
        text = TextLines(bytes)
    }

    /// The plan that turns the file as read into `edited`.
    func plan(_ edited: TextLines, _ call: ModuleCall, message: String, in context: ModuleContext) async throws -> Plan
    {
        let file = ContentFile(
            path: path, bytes: edited.bytes, attributes: try WantedAttributes(call), status: status)
        let isSame = edited == text && (status.exists || edited.lines.isEmpty)
        var values: ValueMap = ["msg": .string(isSame ? "" : message), "backup": ""]
        if isSame, !status.exists { return Plan(.nothing, values: values) }
        guard let change = try await file.change(in: context) else { return Plan(.nothing, values: values) }
        if isSame { values["msg"] = "ownership, perms or SE linux context changed" }
        return Plan(.changes([change]), values: values, payload: file)
    }

    /// Carries out a plan of `plan`.
    static func apply(_ plan: Plan, _ call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        guard let file = plan.payload as? ContentFile, case .changes(let changes) = plan.verdict else {
            return ModuleResult(changed: false, values: plan.values)
        }
        if !file.status.exists, call["create"]?.bool == true {
            try await context.perform([["mkdir", "-p", "--", parent(of: file.status.path)]], subject: file.path)
        }
        let backup = try await file.write(
            in: context, backup: call["backup"]?.bool ?? false, validation: call["validate"]?.string, follow: true)
        var values = plan.values
        if let backup { values["backup"] = .string(backup) }
        return ModuleResult(changed: true, values: values, changes: changes)
    }
}
