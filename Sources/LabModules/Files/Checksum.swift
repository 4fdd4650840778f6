import Crypto

/// Digests of bytes, as hexadecimal digits in lower case.
package enum Checksum {
    /// The algorithms on offer, by Python's names.
    package enum Algorithm: String, Sendable, CaseIterable { case md5, sha1, sha256, sha384, sha512 }

    /// The digest of all the bytes.
    package static func of(_ bytes: some Sequence<UInt8>, _ algorithm: Algorithm = .sha256) -> String {
        var digest = RunningChecksum(algorithm)
        digest.update(Array(bytes))
        return digest.finish()
    }

    /// The digest by Python's name of the algorithm, for the filters `hash`, `md5`, `sha1` and those that need a seed; nil
    /// for an algorithm that is not there.
    @Sendable package static func named(_ algorithm: String, _ bytes: [UInt8]) -> String? {
        Algorithm(rawValue: algorithm.lowercased()).map { of(bytes, $0) }
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A digest that is fed piece by piece.
package struct RunningChecksum: Sendable {
    private enum State: Sendable {
        case md5(Insecure.MD5)
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
        case sha384(SHA384)
        case sha512(SHA512)
    }

    private var state: State

    package init(_ algorithm: Checksum.Algorithm) {
        state =
            switch algorithm {
            case .md5: .md5(Insecure.MD5())
            case .sha1: .sha1(Insecure.SHA1())
            case .sha256: .sha256(SHA256())
            case .sha384: .sha384(SHA384())
            case .sha512: .sha512(SHA512())
            }
    }

    /// Feeds the next piece.
    package mutating func update(_ bytes: [UInt8]) {
        switch state {
        case .md5(var hash):
            hash.update(data: bytes)
            state = .md5(hash)
        case .sha1(var hash):
            hash.update(data: bytes)
            state = .sha1(hash)
        case .sha256(var hash):
            hash.update(data: bytes)
            state = .sha256(hash)
        case .sha384(var hash):
            hash.update(data: bytes)
            state = .sha384(hash)
        case .sha512(var hash):
            hash.update(data: bytes)
            state = .sha512(hash)
        }
    }

    /// The digest of everything that was fed.
    package func finish() -> String {
        switch state {
        case .md5(let hash): Checksum.hexadecimal(hash.finalize())
        case .sha1(let hash): Checksum.hexadecimal(hash.finalize())
        case .sha256(let hash): Checksum.hexadecimal(hash.finalize())
        case .sha384(let hash): Checksum.hexadecimal(hash.finalize())
        case .sha512(let hash): Checksum.hexadecimal(hash.finalize())
        }
    }
}
