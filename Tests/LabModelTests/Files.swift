import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

func makeTemporaryDirectory() throws -> String {
    var template = Array("/tmp/labmodel-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw InputError("cannot make a folder in /tmp") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func writeFile(_ path: String, _ text: String, mode: mode_t = 0o644) throws {
    var folder = ""
    for part in path.split(separator: "/").dropLast() {
        folder += "/\(part)"
        mkdir(folder, 0o755)
    }
    guard let file = fopen(path, "w") else { throw InputError("cannot write \(path)") }
    fwrite(text, 1, text.utf8.count, file)
    fclose(file)
    chmod(path, mode)
}

func removeDirectory(_ path: String) {
    guard path.hasPrefix("/tmp/labmodel-") else { return }
    remove(path, depth: 0)
}

private func remove(_ path: String, depth: Int) {
    guard depth < 20, let directory = opendir(path) else {
        unlink(path)
        return
    }
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove("\(path)/\(name)", depth: depth + 1) }
    }
    closedir(directory)
    rmdir(path)
}
