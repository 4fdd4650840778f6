import LabCore
import LabTransport

/// Something that happened in a run, for those who show it. Events of different hosts come from different threads.
package enum Event: Sendable {
    case runStarted(RunStart)
    /// A play begins on these hosts.
    case playStarted(name: String?, hosts: [String])
    /// The first task of a host made its connection.
    case hostConnected(host: String, address: String, duration: Duration)
    case taskStarted(TaskIdentity, host: String)
    /// A running task says how it goes: `waiting for DaemonSet metallb-system/speaker: 2 of 3 ready`.
    case progress(TaskIdentity, host: String, text: String)
    /// A running command printed something.
    case output(TaskIdentity, host: String, OutputPiece)
    case itemFinished(TaskIdentity, host: String, ItemRecord)
    case taskFinished(TaskRecord)
    /// A host is left out from here on.
    case hostUnreachable(host: String, [Diagnostic])
    /// Something to be told that belongs to no task.
    case told(Diagnostic)
    /// The second run of `--prove` begins.
    case provingStarted
    case runFinished(Report)
}

/// What a run is about to do.
package struct RunStart: Sendable {
    /// What was asked for: `metallb`, `site.yml`.
    package var title: String
    package var hosts: [String]
    package var isCheck: Bool
    package var proves: Bool

    package init(title: String, hosts: [String], isCheck: Bool, proves: Bool) {
        self.title = title
        self.hosts = hosts
        self.isCheck = isCheck
        self.proves = proves
    }
}
