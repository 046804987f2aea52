#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros, which Swift does not import.

static inline int ctls_require_tls_1_2(SSL_CTX *context) {
    return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// The name that the server chooses its certificate by.
static inline int ctls_name_server(SSL *session, const char *host) {
    return (int)SSL_set_tlsext_host_name(session, host);
}

/// Bytes that wait in a memory BIO.
static inline int ctls_pending(BIO *bio) { return (int)BIO_pending(bio); }
