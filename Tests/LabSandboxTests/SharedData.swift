import Foundation
import LabCore

/// The recorded exchanges and manifests beside the project, where they are.
enum SharedData {
    /// `…/shared/data`, or nil when it is not on this machine.
    static let directory: URL? = {
        if let path = ProcessInfo.processInfo.environment["LABCTL_SHARED"] {
            return URL(fileURLWithPath: path).appendingPathComponent("data")
        }
        var folder = URL(fileURLWithPath: #filePath)
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let data = folder.appendingPathComponent("shared/data")
            if FileManager.default.fileExists(atPath: data.path) { return data }
        }
        return nil
    }()

    static var isThere: Bool { directory != nil }

    /// The exchanges of a file of `kube-apiserver`.
    static func exchanges(_ name: String) throws -> [Value] {
        guard let directory else { return [] }
        let text = try String(contentsOf: directory.appendingPathComponent("kube-apiserver/\(name)"), encoding: .utf8)
        return try text.split(separator: "\n").map { try Value(json: String($0)) }
    }

    static func manifest(_ name: String) throws -> String {
        guard let directory else { return "" }
        return try String(contentsOf: directory.appendingPathComponent("metallb/\(name)"), encoding: .utf8)
    }
}
