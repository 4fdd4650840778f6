// What LabSSH needs of libssh, in a form that Swift can import: macros and enumerations as inline functions, and
// the differences between 0.10, 0.11 and 0.12 in one place.
#ifndef LABCTL_CLIBSSH_SHIM_H
#define LABCTL_CLIBSSH_SHIM_H

#include <stdbool.h>
#include <sys/socket.h>
#include <libssh/libssh.h>
#include <libssh/callbacks.h>
// Only for ssh_send_keepalive, which libssh declares among its server functions.
#include <libssh/server.h>

#if LIBSSH_VERSION_INT < SSH_VERSION_INT(0, 10, 0)
#error "labctl needs libssh 0.10 or later"
#endif

// The handles as untyped pointers' worth of names: ssh_session and friends import as OpaquePointer.

// An enumeration in glibc and a number elsewhere.
static inline int labctl_stream_socket(void) { return SOCK_STREAM; }

static inline int labctl_ssh_set_string(ssh_session session, enum ssh_options_e option, const char *value) {
    return ssh_options_set(session, option, value);
}

static inline int labctl_ssh_set_int(ssh_session session, enum ssh_options_e option, int value) {
    return ssh_options_set(session, option, &value);
}

static inline int labctl_ssh_set_bool(ssh_session session, enum ssh_options_e option, int value) {
    bool flag = value != 0;
    return ssh_options_set(session, option, &flag);
}

static inline int labctl_ssh_set_port(ssh_session session, unsigned int port) {
    return ssh_options_set(session, SSH_OPTIONS_PORT, &port);
}

static inline int labctl_ssh_set_socket(ssh_session session, socket_t fd) {
    return ssh_options_set(session, SSH_OPTIONS_FD, &fd);
}

// Stops libssh from reading any file by itself: configuration and known_hosts are labctl's own.
static inline int labctl_ssh_read_no_files(ssh_session session) {
    bool no = false;
    int rc = ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    if (rc == SSH_OK) rc = ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    if (rc == SSH_OK) rc = ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
    return rc;
}

static inline const char *labctl_ssh_error(ssh_session session) { return ssh_get_error(session); }

static inline void labctl_ssh_callbacks_init(struct ssh_channel_callbacks_struct *callbacks) {
    ssh_callbacks_init(callbacks);
}

static inline void labctl_ssh_session_callbacks_init(struct ssh_callbacks_struct *callbacks) {
    ssh_callbacks_init(callbacks);
}

static inline int labctl_ssh_auth_none(ssh_session s) { return ssh_userauth_none(s, NULL); }
static inline int labctl_ssh_auth_try(ssh_session s, ssh_key key) { return ssh_userauth_try_publickey(s, NULL, key); }
static inline int labctl_ssh_auth_key(ssh_session s, ssh_key key) { return ssh_userauth_publickey(s, NULL, key); }
static inline int labctl_ssh_auth_agent(ssh_session s) { return ssh_userauth_agent(s, NULL); }
static inline int labctl_ssh_auth_password(ssh_session s, const char *password) {
    return ssh_userauth_password(s, NULL, password);
}
static inline int labctl_ssh_auth_interactive(ssh_session s) { return ssh_userauth_kbdint(s, NULL, NULL); }

enum {
    LABCTL_SSH_OK = SSH_OK,
    LABCTL_SSH_ERROR = SSH_ERROR,
    LABCTL_SSH_AGAIN = SSH_AGAIN,
    LABCTL_AUTH_SUCCESS = SSH_AUTH_SUCCESS,
    LABCTL_AUTH_DENIED = SSH_AUTH_DENIED,
    LABCTL_AUTH_PARTIAL = SSH_AUTH_PARTIAL,
    LABCTL_AUTH_INFO = SSH_AUTH_INFO,
    LABCTL_AUTH_AGAIN = SSH_AUTH_AGAIN,
    LABCTL_AUTH_ERROR = SSH_AUTH_ERROR,
    LABCTL_METHOD_PASSWORD = SSH_AUTH_METHOD_PASSWORD,
    LABCTL_METHOD_PUBLICKEY = SSH_AUTH_METHOD_PUBLICKEY,
    LABCTL_METHOD_INTERACTIVE = SSH_AUTH_METHOD_INTERACTIVE,
    LABCTL_STATUS_CLOSED = SSH_CLOSED,
    LABCTL_STATUS_CLOSED_ERROR = SSH_CLOSED_ERROR,
    LABCTL_PENDING_READ = SSH_READ_PENDING,
    LABCTL_PENDING_WRITE = SSH_WRITE_PENDING,
};

#endif
