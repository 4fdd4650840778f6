import Foundation
import LabCore
import Testing

@testable import LabModules

/// The folder with what real servers answered, beside the project; nil where it is not there.
let recordedData: URL? = {
    if let path = ProcessInfo.processInfo.environment["LABCTL_SHARED"] {
        return URL(fileURLWithPath: path).appendingPathComponent("data")
    }
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
        folder.deleteLastPathComponent()
        let candidate = folder.appendingPathComponent("shared/data")
        if FileManager.default.fileExists(atPath: candidate.path) { return candidate }
    }
    return nil
}()

@Suite("What MetalLB's real webhook said", .enabled(if: recordedData != nil, "the recorded exchanges are not here"))
struct RecordedWebhookTests {
    @Test("labctl says the same before anything is sent")
    func sameSentences() throws {
        let file = try #require(recordedData).appendingPathComponent("kube-apiserver/metallb.jsonl")
        let exchanges = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .map { try Value(json: String($0)) }
        let denials = exchanges.filter { $0["note"]?.string?.hasPrefix("webhook denies") == true }
        #expect(denials.count == 4)
        for denial in denials {
            let object = try #require(denial["request"]?["body"])
            let message = try #require(denial[["response", "body", "message"]]?.string)
            let sentence = try #require(message.range(of: "denied the request: ")).upperBound
            // lab-pool was there when the recording was made.
            let found = MetalLBObjects.validate(
                [pool("lab-pool", ["192.168.56.200-192.168.56.250"]), advertisement("all"), object],
                scope: ValidationScope())
            #expect(found.filter { $0.severity == .error }.map(\.message) == [String(message[sentence...])])
        }
        let unknownField = try #require(
            exchanges.first { $0["note"]?.string?.hasPrefix("unknown field in a custom resource") == true })
        let message = try #require(unknownField[["response", "body", "message"]]?.string)
        let object = try #require(unknownField["request"]?["body"])
        let found = MetalLBObjects.validate([object, advertisement("all")], scope: ValidationScope())
        #expect(message.hasSuffix(try #require(found.first).message))
        #expect(found.first?.hint == "did you mean autoAssign?")
    }
}
