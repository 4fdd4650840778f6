/// Finds the escapes in what a person types: `~.` and the like at the beginning of a line, as ssh(1) has them
/// ("ESCAPE CHARACTERS").
struct EscapeFilter {
    enum Action: Equatable {
        case send([UInt8])
        case disconnect
        case suspend
        case help
    }

    /// nil for no escapes at all.
    let escape: UInt8?
    private var isAtLineStart = true
    private var isPending = false

    init(escape: UInt8?) { self.escape = escape }

    /// How people write the character: `~`, `^A`.
    var shown: String {
        guard let escape else { return "" }
        return escape < 0x20 ? "^" + String(UnicodeScalar(escape + 0x40)) : String(UnicodeScalar(escape))
    }

    /// Takes what was typed. Nothing that follows `~.` is sent.
    mutating func feed(_ bytes: [UInt8]) -> [Action] {
        guard let escape else { return bytes.isEmpty ? [] : [.send(bytes)] }
        var actions: [Action] = []
        var plain: [UInt8] = []
        func flush() {
            if !plain.isEmpty { actions.append(.send(plain)) }
            plain = []
        }
        for byte in bytes {
            if isPending {
                isPending = false
                switch byte {
                case UInt8(ascii: "."):
                    flush()
                    return actions + [.disconnect]
                case 0x1A:
                    flush()
                    actions.append(.suspend)
                    continue
                case UInt8(ascii: "?"):
                    flush()
                    actions.append(.help)
                    continue
                case escape: break
                default: plain.append(escape)
                }
            } else if isAtLineStart, byte == escape {
                isPending = true
                continue
            }
            plain.append(byte)
            isAtLineStart = byte == 0x0D || byte == 0x0A
        }
        flush()
        return actions
    }
}
