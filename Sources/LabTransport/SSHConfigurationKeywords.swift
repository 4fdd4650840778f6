extension SSHConfiguration {
    /// What the value of a keyword is.
    enum Kind: Sendable {
        case port
        case number
        case time
        case choice([String])
    }

    static let kinds: [String: Kind] = {
        var kinds: [String: Kind] = ["port": .port, "connecttimeout": .time, "serveraliveinterval": .time]
        for name in ["serveralivecountmax", "connectionattempts", "numberofpasswordprompts"] { kinds[name] = .number }
        for name in [
            "identitiesonly", "batchmode", "compression", "passwordauthentication", "kbdinteractiveauthentication",
            "hashknownhosts", "checkhostip", "tcpkeepalive", "gssapiauthentication", "exitonforwardfailure",
            "permitlocalcommand", "proxyusefdpass", "clearallforwardings", "nohostauthenticationforlocalhost",
        ] {
            kinds[name] = .choice(["yes", "no", "true", "false"])
        }
        kinds["stricthostkeychecking"] = .choice(["yes", "no", "ask", "off", "accept-new", "true", "false"])
        kinds["addressfamily"] = .choice(["any", "inet", "inet6"])
        kinds["pubkeyauthentication"] = .choice(["yes", "no", "unbound", "host-bound", "true", "false"])
        return kinds
    }()

    /// Keywords of one word: a second one is a mistake.
    static let singleWord: Set<String> = Set(kinds.keys).union([
        "hostname", "user", "identityfile", "identityagent", "certificatefile", "proxyjump", "hostkeyalias",
        "bindaddress",
        "bindinterface", "kexalgorithms", "hostkeyalgorithms", "ciphers", "macs", "pubkeyacceptedalgorithms",
        "pubkeyacceptedkeytypes", "preferredauthentications", "forwardagent", "requesttty", "escapechar", "loglevel",
        "casignaturealgorithms", "fingerprinthash", "controlmaster", "controlpath", "controlpersist", "updatehostkeys",
    ])

    /// Keywords of which every line counts.
    static let addingUp: Set<String> = [
        "identityfile", "certificatefile", "sendenv", "localforward", "remoteforward", "dynamicforward",
        "permitremoteopen",
    ]

    /// All keywords of ssh_config(5) as of OpenSSH 9.9, with the old names that it still takes.
    static let keywords: Set<String> = [
        "host", "match", "include", "addkeystoagent", "addressfamily", "batchmode", "bindaddress", "bindinterface",
        "canonicaldomains", "canonicalizefallbacklocal", "canonicalizehostname", "canonicalizemaxdots",
        "canonicalizepermittedcnames", "casignaturealgorithms", "certificatefile", "challengeresponseauthentication",
        "channeltimeout", "checkhostip", "cipher", "ciphers", "clearallforwardings", "compression", "compressionlevel",
        "connectionattempts", "connecttimeout", "controlmaster", "controlpath", "controlpersist", "dsaauthentication",
        "dynamicforward", "enableescapecommandline", "enablesshkeysign", "escapechar", "exitonforwardfailure",
        "fingerprinthash", "forkafterauthentication", "forwardagent", "forwardx11", "forwardx11timeout",
        "forwardx11trusted", "gatewayports", "globalknownhostsfile", "gssapiauthentication",
        "gssapidelegatecredentials", "gssapikeyexchange", "gssapitrustdns", "gssapirenewalforcesrekey",
        "gssapiserveridentity", "gssapiclientidentity", "gssapikexalgorithms", "hashknownhosts",
        "hostbasedacceptedalgorithms",
        "hostbasedauthentication", "hostbasedkeytypes", "hostkeyalgorithms", "hostkeyalias", "hostname",
        "identitiesonly", "identityagent", "identityfile", "ignoreunknown", "ipqos", "kbdinteractiveauthentication",
        "kbdinteractivedevices", "kexalgorithms", "knownhostscommand", "localcommand", "localforward", "loglevel",
        "logverbose", "macs", "nohostauthenticationforlocalhost", "numberofpasswordprompts",
        "obscurekeystroketiming", "passwordauthentication", "permitlocalcommand", "permitremoteopen",
        "pkcs11provider", "port", "preferredauthentications", "protocol", "proxycommand", "proxyjump",
        "proxyusefdpass", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "pubkeyauthentication", "rekeylimit",
        "remotecommand", "remoteforward", "requesttty", "requiredrsasize", "revokedhostkeys", "rhostsrsaauthentication",
        "rsaauthentication", "securitykeyprovider", "sendenv", "serveralivecountmax", "serveraliveinterval",
        "sessiontype", "setenv", "skeyauthentication", "smartcarddevice", "stdinnull", "streamlocalbindmask",
        "streamlocalbindunlink", "stricthostkeychecking", "syslogfacility", "tag", "tcpkeepalive", "tunnel",
        "tunneldevice", "updatehostkeys", "usekeychain", "useprivilegedport", "user", "userknownhostsfile",
        "useroaming", "verifyhostkeydns", "versionaddendum", "visualhostkey", "xauthlocation",
    ]
}
