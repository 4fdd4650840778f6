import LabCore
import LabTransport

/// What is at a path of a node.
struct FileStatus: Sendable {
    enum Kind: String, Sendable { case regular, directory, link, fifo, socket, characterDevice, blockDevice }

    /// The path after expanding a leading `~`, as seen from the user that the task runs as.
    var path: String
    /// Nil when there is nothing.
    var kind: Kind?
    /// Permission bits, without the file type.
    var mode = 0
    var userID = 0
    var groupID = 0
    var owner: String?
    var group: String?
    var size = 0
    var accessTime = 0
    var modificationTime = 0
    var changeTime = 0
    var inode = 0
    var device = 0
    var linkCount = 0
    var isReadable = false
    var isWritable = false
    var isExecutable = false
    /// What a link holds.
    var linkTarget: String?
    /// Where a link leads in the end.
    var resolvedPath: String?
    /// In hexadecimal, by the algorithm that was asked for; nil for what is no readable regular file.
    var checksum: String?
    var mimeType: String?
    /// The flags of lsattr(1), where the file system has them.
    var attributeFlags: String?
    var attributeVersion: String?
    /// Of the user that the task runs as.
    var umask = 0o022

    var exists: Bool { kind != nil }
}

/// What else to find out about a path than its inode says.
struct FileQuery: Sendable {
    var followsLinks = false
    /// `sha1`, `sha256` …; nil leaves the contents alone.
    var checksum: String?
    /// Whether to ask file(1) and lsattr(1) too.
    var details = false
}

extension ModuleContext {
    /// Looks at paths of the node, all in one round trip, with what every POSIX system has.
    ///
    /// - Throws: `ModuleError` when the node cannot tell (no permission); `ConnectionError`.
    func status(of paths: [String], _ query: FileQuery = FileQuery()) async throws -> [FileStatus] {
        try await look(at: paths, query, wantsContents: false).found
    }

    /// Looks at one path of the node and reads the file there, in one round trip.
    ///
    /// - Returns: no bytes when there is nothing at the path.
    /// - Throws: as `status`; `ConnectionError` of kind `fileRefused` for what is there and cannot be read.
    func contents(of path: String, _ query: FileQuery) async throws -> (status: FileStatus, bytes: [UInt8]) {
        let (found, bytes) = try await look(at: [path], query, wantsContents: true)
        guard let status = found.first else { throw ModuleError("\(hostName) did not tell of \(path)") }
        if !status.exists || status.kind == .regular && status.isReadable { return (status, bytes) }
        // Says why not.
        return (status, status.kind == .directory ? [] : try await connection().readFile(status.path, become: become))
    }

    /// - Parameter wantsContents: whether the last path's file follows the answers.
    private func look(
        at paths: [String], _ query: FileQuery, wantsContents: Bool
    ) async throws -> (found: [FileStatus], contents: [UInt8]) {
        guard !paths.isEmpty else { return ([], []) }
        let flags = [query.followsLinks, query.details, wantsContents].map { $0 ? "y" : "n" }
        let arguments = flags + [query.checksum ?? ""] + paths
        let result = try await connection().run(
            Command(.arguments(["/bin/sh", "-c", statusScript, "sh"] + arguments), become: become))
        guard result.exitStatus == 0 else {
            throw ModuleError(
                "\(hostName) cannot look at \(paths.count == 1 ? paths[0] : "\(paths.count) files")",
                notes: result.errorText.split(separator: "\n").prefix(5).map { Diagnostic.Note(String($0)) })
        }
        var answers = result.standardOutput[...]
        var contents: [UInt8] = []
        if wantsContents, let end = answers.firstRange(of: Array("\n.\n".utf8)) {
            contents = Array(answers[end.upperBound...])
            answers = answers[..<end.upperBound]
        }
        let found = try StatusReader(hostName: hostName).read(String(decoding: answers, as: UTF8.self))
        guard found.count == paths.count else {
            throw ModuleError("\(hostName) told of \(found.count) files when asked about \(paths.count)")
        }
        return (found, contents)
    }

    /// Looks at one path of the node.
    func status(of path: String, _ query: FileQuery = FileQuery()) async throws -> FileStatus {
        guard let status = try await status(of: [path], query).first else {
            throw ModuleError("\(hostName) did not tell of \(path)")
        }
        return status
    }
}

/// Prints for every path a block of lines, each a letter and a value, ended by a dot. `stat` is GNU's and BusyBox's
/// (`-c`) or BSD's (`-f`). The last file itself follows where that is wanted.
private let statusScript = #"""
    follow=$1 details=$2 contents=$3 algorithm=$4
    shift 4
    LC_ALL=C
    export LC_ALL
    link=
    if [ $follow = y ]; then link=-L; fi
    if stat -c %f / >/dev/null 2>&1; then
        inode() { stat $link -c '%f %u %g %s %X %Y %Z %i %d %h %U %G' -- "$1"; }
    else
        inode() { stat $link -f '%Xp %u %g %z %a %m %c %i %d %l %Su %Sg' -- "$1"; }
    fi
    digest() {
        if command -v "${algorithm}sum" >/dev/null 2>&1; then "${algorithm}sum"
        elif command -v shasum >/dev/null 2>&1 && [ "$algorithm" != md5 ]; then shasum -a "${algorithm#sha}"
        else openssl dgst "-$algorithm" | sed 's/^.* //'; fi
    }
    echo "U $(umask)"
    for path in "$@"; do
        case $path in
        "~") path=$HOME ;;
        "~/"*) path=$HOME${path#"~"} ;;
        esac
        printf 'P %s\n' "$path"
        if [ ! -e "$path" ] && { [ ! -L "$path" ] || [ $follow = y ]; }; then
            message=$(ls -d "$path" 2>&1) || case $message in
            *"ermission denied"*) printf 'D %s\n' "$message" ;;
            esac
            echo .
            continue
        fi
        printf 'F %s\n' "$(inode "$path")"
        if [ -r "$path" ]; then echo "A r"; fi
        if [ -w "$path" ]; then echo "A w"; fi
        if [ -x "$path" ]; then echo "A x"; fi
        if [ -L "$path" ]; then
            printf 'L %s\n' "$(readlink "$path")"
            printf 'R %s\n' "$(readlink -f "$path")"
        fi
        if [ $follow = n ] && [ -L "$path" ]; then :
        elif [ -n "$algorithm" ] && [ -f "$path" ] && [ -r "$path" ]; then
            printf 'H %s\n' "$(digest <"$path")"
        fi
        if [ $details = y ]; then
            if command -v file >/dev/null 2>&1; then
                printf 'M %s\n' "$(file -b --mime-type --mime-encoding -- "$path" 2>/dev/null)"
            fi
            if command -v lsattr >/dev/null 2>&1; then
                printf 'T %s\n' "$(lsattr -vd -- "$path" 2>/dev/null)"
            fi
        fi
        echo .
    done
    if [ $contents = y ] && [ -f "$path" ] && [ -r "$path" ]; then cat -- "$path"; fi
    """#

/// Reads what the script printed.
private struct StatusReader {
    let hostName: String

    func read(_ text: String) throws(ModuleError) -> [FileStatus] {
        var found: [FileStatus] = []
        var current = FileStatus(path: "")
        var umask = 0o022
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "." {
                current.umask = umask
                found.append(current)
                current = FileStatus(path: "")
                continue
            }
            guard let letter = line.first else { continue }
            let value = String(line.dropFirst(2))
            switch letter {
            case "U": umask = Int(value, radix: 8) ?? umask
            case "P": current.path = value
            case "D": throw ModuleError("\(hostName) cannot look at \(current.path)", notes: [Diagnostic.Note(value)])
            case "F": readInode(value, into: &current)
            case "A":
                switch value {
                case "r": current.isReadable = true
                case "w": current.isWritable = true
                default: current.isExecutable = true
                }
            case "L": current.linkTarget = value
            case "R": current.resolvedPath = value
            case "H": current.checksum = value.split(separator: " ").first.map(String.init)
            case "M": current.mimeType = value
            case "T":
                let words = value.split(separator: " ")
                if words.count >= 2 {
                    current.attributeVersion = String(words[0])
                    current.attributeFlags = String(words[1])
                }
            default: break
            }
        }
        return found
    }

    private func readInode(_ text: String, into status: inout FileStatus) {
        let words = text.split(separator: " ").map(String.init)
        guard words.count >= 10, let raw = Int(words[0], radix: 16) else { return }
        // S_IFMT and its values are the same on all systems (POSIX names them, tradition numbers them).
        status.kind =
            switch raw & 0o170000 {
            case 0o040000: .directory
            case 0o120000: .link
            case 0o010000: .fifo
            case 0o140000: .socket
            case 0o020000: .characterDevice
            case 0o060000: .blockDevice
            default: .regular
            }
        status.mode = raw & 0o7777
        let numbers = words[1..<10].map { Int($0) ?? 0 }
        status.userID = numbers[0]
        status.groupID = numbers[1]
        status.size = numbers[2]
        status.accessTime = numbers[3]
        status.modificationTime = numbers[4]
        status.changeTime = numbers[5]
        status.inode = numbers[6]
        status.device = numbers[7]
        status.linkCount = numbers[8]
        // GNU stat writes UNKNOWN for an id that has no name; BSD writes the number.
        status.owner = words.count > 10 && words[10] != "UNKNOWN" ? words[10] : nil
        status.group = words.count > 11 && words[11] != "UNKNOWN" ? words[11] : nil
    }
}
