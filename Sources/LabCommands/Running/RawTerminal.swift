import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The terminal at standard input, handed through to a program on a node: no echo, no lines, no signals from keys.
///
/// Its settings come back on every way out: `leave`, the end of the process, and signals that end it.
enum RawTerminal {
    /// The address of the settings to go back to; 0 while the terminal is as it was. A signal handler may read it.
    private static let saved = Atomic<UInt>(0)

    private static let fatalSignals = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP,
    ]

    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

    /// Does nothing where standard input is no terminal, or it is raw already.
    static func enter() {
        guard isPossible, saved.load(ordering: .sequentiallyConsistent) == 0 else { return }
        // Never freed: a handler may be reading it.
        let settings = UnsafeMutablePointer<termios>.allocate(capacity: 1)
        settings.initialize(to: termios())
        guard tcgetattr(STDIN_FILENO, settings) == 0 else { return }
        saved.store(UInt(bitPattern: settings), ordering: .sequentiallyConsistent)
        for number in fatalSignals {
            signal(number) { number in
                RawTerminal.restore()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        atexit { RawTerminal.restore() }
        apply(settings.pointee)
    }

    /// Gives the terminal back.
    static func leave() {
        restore()
        for number in fatalSignals { signal(number, SIG_DFL) }
    }

    /// Stops this process as Ctrl-Z does, with the terminal as the shell knows it, until it is continued.
    static func suspend() {
        let settings = saved.load(ordering: .sequentiallyConsistent)
        restore()
        kill(0, SIGTSTP)
        guard let pointer = UnsafeMutablePointer<termios>(bitPattern: settings) else { return }
        saved.store(settings, ordering: .sequentiallyConsistent)
        apply(pointer.pointee)
    }

    /// As OpenSSH sets it (sshtty.c).
    private static func apply(_ settings: termios) {
        var raw = settings
        raw.c_iflag |= tcflag_t(IGNPAR)
        raw.c_iflag &= ~tcflag_t(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF)
        raw.c_lflag &= ~tcflag_t(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN)
        raw.c_oflag &= ~tcflag_t(OPOST)
        withUnsafeMutableBytes(of: &raw.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
    }

    /// Does only what signal-safety(7) allows.
    private static func restore() {
        let address = saved.exchange(0, ordering: .sequentiallyConsistent)
        guard let settings = UnsafeMutablePointer<termios>(bitPattern: address) else { return }
        tcsetattr(STDIN_FILENO, TCSADRAIN, settings)
    }

    /// The columns and rows of the terminal, 80 × 24 where it does not know.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 {
                return (Int(size.ws_col), Int(size.ws_row))
            }
        }
        return (80, 24)
    }
}
