#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Users, passwords and rights that only one server and what it starts can see: it runs in a mount namespace of its own,
/// with a layer of its own over /etc.
///
/// The user is `labuser`, with the password `login secret`; `admin` has the password `admin secret`.
struct PrivateUsers {
    static let isPossible =
        getuid() == 0 && access("/usr/bin/openssl", X_OK) == 0 && access("/etc/shadow", F_OK) == 0
        && (try? shell(
            // A container may be root's and allow none of this.
            """
            d=$(mktemp -d) && unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs $0 && mkdir $0/u $0/w \
              && mount -t overlay overlay -o lowerdir=/etc,upperdir=$0/u,workdir=$0/w /etc' $d 2>/dev/null; s=$?
            rmdir $d; exit $s
            """)) != nil

    static func has(_ program: String) -> Bool { isPossible && access("/usr/bin/" + program, X_OK) == 0 }

    var sudoers = ""
    var doas = ""
    /// The text of /etc/pam.d/sudo in place of the system's.
    var pamSudo: String?

    /// Stands before the server's own command line.
    var launcher: [String] {
        var script = """
            set -e
            d=$(mktemp -d /tmp/labctl-users-XXXXXX)
            mount -t tmpfs tmpfs "$d"
            mkdir "$d/upper" "$d/work"
            mount -t overlay overlay -o lowerdir=/etc,upperdir="$d/upper",workdir="$d/work" /etc
            umount -l "$d"; rmdir "$d"
            h=$(openssl passwd -6 'login secret'); a=$(openssl passwd -6 'admin secret')
            echo 'labuser:x:24001:24001::/tmp:/bin/sh' >> /etc/passwd
            echo 'admin:x:24002:24002::/tmp:/bin/sh' >> /etc/passwd
            echo "labuser:$h:19000:0:99999:7:::" >> /etc/shadow
            echo "admin:$a:19000:0:99999:7:::" >> /etc/shadow
            echo 'labuser:x:24001:' >> /etc/group; echo 'admin:x:24002:' >> /etc/group
            rm -f /etc/nologin
            printf '%s\\n' '\(sudoers)' > /etc/sudoers; chmod 440 /etc/sudoers
            printf '%s\\n' '\(doas)' > /etc/doas.conf; chmod 400 /etc/doas.conf
            printf '%s\\n' 'auth required pam_unix.so' 'account required pam_unix.so' 'session required pam_permit.so' > /etc/pam.d/sshd

            """
        if let pamSudo { script += "printf '%s\\n' '\(pamSudo)' > /etc/pam.d/sudo\n" }
        script += "exec \"$@\""
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    }
}
