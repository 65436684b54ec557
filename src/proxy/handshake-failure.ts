/** How a TLS handshake with a client can fail; a closed list, and a metric label. */
export const handshakeFailures = [
  /** The client knows neither TLS 1.2 nor 1.3, or none of their ciphers, or no HTTP/1.1. */
  'no_shared_version', 'no_shared_cipher', 'no_http_alpn',
  /** The client does not accept the gateway's certificate. */
  'certificate_rejected',
  /** The client closed or reset the connection. */
  'client_gone',
  /** It took longer than the listener waits. */
  'timeout',
  'other',
] as const

export type HandshakeFailure = typeof handshakeFailures[number]

/** By the code of Node's error: `ERR_SSL_` and OpenSSL's name of the reason; its versions differ in the middle. */
export function classifyHandshakeError (code: string): HandshakeFailure {
  return patterns.find(([pattern]) => pattern.test(code))?.[1] ?? 'other'
}

const patterns: ReadonlyArray<readonly [RegExp, HandshakeFailure]> = [
  [/_(?:UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|ALERT_PROTOCOL_VERSION)$/, 'no_shared_version'],
  [/_(?:NO_SHARED_CIPHER|NO_SUITABLE_SIGNATURE_ALGORITHM|NO_SUITABLE_KEY_SHARE)$/, 'no_shared_cipher'],
  [/_NO_APPLICATION_PROTOCOL$/, 'no_http_alpn'],
  // RFC 8446 §6.2: the alerts on a certificate.
  [/_ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_[A-Z]+|UNKNOWN_CA)$/, 'certificate_rejected'],
  [/^(?:ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/, 'client_gone'],
  [/^ERR_TLS_HANDSHAKE_TIMEOUT$/, 'timeout'],
]
