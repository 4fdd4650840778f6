/// The parts of a command's manual that several commands have.
enum ManualText {
    /// design.md, "The one idea".
    static let exitStatus = """
        EXIT STATUS
          0  fine                            64   the command line is wrong
          1  `plan` found changes            65   a file of yours is wrong
          2  a task failed                   130  interrupted
          3  a step is not idempotent
          4  a host could not be reached
        """

    static let environment = """
        ENVIRONMENT
          LABCTL_INVENTORY    the inventory without -i (else ANSIBLE_INVENTORY)
          SSH_AUTH_SOCK       the SSH agent
          HTTPS_PROXY, HTTP_PROXY, NO_PROXY   for downloads
          SSL_CERT_FILE       the CAs of downloads, instead of the system's
          XDG_CACHE_HOME      where downloads are kept; else ~/.cache
          NO_COLOR, COLUMNS   no colours; how wide the output is
          KUBEBUILDER_ASSETS  a folder with etcd and kube-apiserver, for the sandbox

        FILES
          ~/.ssh/config, ~/.ssh/known_hosts, /etc/ssh/ssh_config   as ssh uses them
          .labctl/sandbox     the sandbox, in the project's folder
        """
}
