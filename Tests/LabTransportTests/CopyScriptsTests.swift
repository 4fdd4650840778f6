import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The shell texts of `labctl cp`, run by the shell that is here.
@Suite struct CopyScriptsTests {
    /// Names that shells and other programs have trouble with.
    static let names = [
        "plain", "two words", "-dash", "--", "new\nline", "end\n", "tab\t", "it's", "\"quoted\"", "$(id)", "`id`",
        "back\\slash",
        "*", "[a]", "?", "~", "#c", "ümlaut", "日本", "a:b", " lead", "trail ", "%s", "{a,b}", "!x", "; rm x", ".hidden",
        String(repeating: "n", count: 255),
    ]

    private let connection = LocalConnection()

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        var template = Array("/tmp/labctl-copy-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        do { try await body(folder) } catch {
            try await sh("chmod -R u+rwx \(folder); rm -rf \(folder)")
            throw error
        }
        try await sh("chmod -R u+rwx \(folder); rm -rf \(folder)")
    }

    @discardableResult
    private func sh(_ script: String, input: [UInt8]? = nil, path: String? = nil) async throws -> CommandResult {
        var command = Command(.shell(script), standardInput: input)
        if let path { command.environment = [("PATH", path)] }
        return try await connection.run(command)
    }

    private func write(
        _ bytes: [UInt8], to path: String, mode: Int = 0o644, keeps: Bool = false, size: Int? = nil
    ) async throws -> CommandResult {
        let entry = CopyEntry(
            path: path, kind: .file, mode: mode, size: size ?? bytes.count,
            modified: CopyEntry.Time(seconds: 1_000_000_000, nanoseconds: 123_000_000))
        return try await sh(CopyScripts.write(entry, to: path, nonce: "n", keeps: keeps), input: bytes)
    }

    @Test(arguments: names)
    func namesAreKept(name: String) async throws {
        try await withFolder { folder in
            let bytes = (0...255).map { UInt8($0) }
            let result = try await write(bytes, to: folder + "/" + name)
            #expect(result.exitStatus == 0, "\(result.errorText)")
            let read = try await sh(CopyScripts.read(folder + "/" + name))
            #expect(read.standardOutput == bytes)
            let survey = try await sh(CopyScripts.survey(folder, isRecursive: true))
            #expect(survey.exitStatus == 0, "\(survey.errorText)")
            let tree = try #require(CopyScripts.trees(survey.standardOutput).first)
            #expect(tree.entries.map { tree.relativePath(of: $0) } == ["", name])
            #expect(tree.entries.map(\.kind) == [.folder, .file])
            #expect(tree.entries.last?.size == 256)
        }
    }

    @Test func relativeNamesWithADash() async throws {
        try await withFolder { folder in
            let script = { (text: String) in "cd \(folder)\n" + text }
            let entry = CopyEntry(
                path: "-x", kind: .file, mode: 0o600, size: 1, modified: CopyEntry.Time(seconds: 0))
            let result = try await sh(
                script(CopyScripts.write(entry, to: "-x", nonce: "n", keeps: false)), input: [1])
            #expect(result.exitStatus == 0, "\(result.errorText)")
            do {
                let said = try await sh(script(CopyScripts.read("-x")))
                #expect(said.standardOutput == [1])
            }
            let survey = try await sh(script(CopyScripts.survey("*", isRecursive: false)))
            #expect(CopyScripts.trees(survey.standardOutput).map(\.path) == ["./-x"])
        }
    }

    @Test func surveyTellsKindsModesAndTimes() async throws {
        try await withFolder { folder in
            try await sh(
                """
                cd \(folder); mkdir -m 750 d; printf abc > d/f; chmod 4755 d/f; touch -d @1000000000.5 d/f
                ln -s 'to where' d/l; ln -s d top; mkfifo d/p
                """)
            for path in [folder + "/top", folder + "/d"] {
                for find in [false, true] {
                    // Without -printf, as busybox has it.
                    try await sh(
                        "mkdir -p \(folder)/bin; printf '%s\\n' '#!/bin/sh' 'case \" $* \" in *\" -printf \"*) exit 1;; esac' "
                            + "'exec /usr/bin/find \"$@\"' > \(folder)/bin/find; chmod +x \(folder)/bin/find")
                    let survey = try await sh(
                        CopyScripts.survey(path, isRecursive: true), path: find ? "\(folder)/bin:/usr/bin:/bin" : nil)
                    #expect(survey.exitStatus == 0, "\(survey.errorText)")
                    let tree = try #require(CopyScripts.trees(survey.standardOutput).first)
                    let entries = Dictionary(uniqueKeysWithValues: tree.entries.map { (tree.relativePath(of: $0), $0) })
                    #expect(entries[""]?.kind == .folder)
                    #expect(entries[""]?.mode == 0o750)
                    #expect(entries["f"]?.kind == .file)
                    #expect(entries["f"]?.mode == 0o4755)
                    #expect(entries["f"]?.size == 3)
                    #expect(entries["f"]?.modified.seconds == 1_000_000_000)
                    #expect(entries["l"]?.kind == .link("to where"))
                    #expect(entries["p"]?.kind == .other("p"))
                }
            }
            let missing = try await sh(CopyScripts.survey(folder + "/nosuch*", isRecursive: true))
            #expect(missing.errorText == "there is no \(folder)/nosuch*\n")
        }
    }

    @Test func modesAndTimes() async throws {
        try await withFolder { folder in
            let path = folder + "/f"
            _ = try await write([1], to: path, mode: 0o664)
            let umask = try await sh("umask").outputText.split(separator: "\n").first.flatMap { Int($0, radix: 8) } ?? 0
            do {
                let said = try await sh("stat -c %a \(path)")
                #expect(said.outputText == String(0o664 & ~umask, radix: 8) + "\n")
            }
            // What is there keeps its mode.
            try await sh("chmod 600 \(path)")
            _ = try await write([2], to: path, mode: 0o755)
            do {
                let said = try await sh("stat -c %a \(path)")
                #expect(said.outputText == "600\n")
            }
            _ = try await write([3], to: path, mode: 0o4711, keeps: true)
            do {
                let said = try await sh("stat -c '%a %.3Y' \(path)")
                #expect(said.outputText == "4711 1000000000.123\n")
            }
        }
    }

    @Test func nothingHalfIsLeft() async throws {
        try await withFolder { folder in
            let path = folder + "/f"
            _ = try await write([1, 2, 3], to: path)
            let short = try await write([9], to: path, size: 5)
            #expect(short.exitStatus == 1)
            #expect(short.errorText == "the file did not arrive whole\n")
            do {
                let said = try await sh("cat \(path)")
                #expect(said.standardOutput == [1, 2, 3])
            }
            do {
                let said = try await sh("ls -A \(folder)")
                #expect(said.outputText == "f\n")
            }
            // A link stays one, and its file is replaced.
            try await sh("ln -s f \(folder)/l")
            _ = try await write([4], to: folder + "/l")
            do {
                let said = try await sh("readlink \(folder)/l; cat \(path)")
                #expect(said.standardOutput == Array("f\n".utf8) + [4])
            }
        }
    }

    @Test func refusalsAreSentences() async throws {
        try await withFolder { folder in
            let results = [
                try await write([1], to: folder), try await write([1], to: folder + "/x/y"),
                try await sh(CopyScripts.link(folder, to: "x")),
            ]
            #expect(
                results.map(\.errorText) == [
                    "\(folder) is a folder\n", "there is no folder \(folder)/x\n", "\(folder) is a folder\n",
                ])
            for (path, kind) in [
                (folder, "folder\n"), (folder + "/x", "none\n"), ("/etc/passwd", "file\n"), ("~", "folder\n"),
            ] {
                let said = try await sh(CopyScripts.kind(of: path))
                #expect(said.outputText == kind)
            }
        }
    }

    /// What a node names outside of what it was asked for is not believed.
    @Test(arguments: ["/a/../b", "/a/b/../../c", "/ab", "/", "/a//b", "/a/./b", "b", ""])
    func pathsThatLeadOut(path: String) {
        let tree = CopyTree(path: "/a", entries: [])
        let entry = CopyEntry(path: path, kind: .file, mode: 0, size: 0, modified: CopyEntry.Time(seconds: 0))
        #expect(tree.relativePath(of: entry) == nil)
    }

    @Test(arguments: [
        ("/a/b", "b"), ("/a/b/", "b"), (".", ""), ("/", ""), ("~", ""), ("a/..", ""), ("x", "x"), ("", ""),
    ])
    func treeNames(path: String, name: String) {
        #expect(CopyTree(path: path, entries: []).name == name)
    }
}
