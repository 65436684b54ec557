import { type HostName, canonicalHostName } from '../net/host-name.ts'
import { type HelloProblem, HelloReader } from './hello-reader.ts'

export { type HelloProblem, maxHelloBytes } from './hello-reader.ts'

/** What the first bytes of a tunnel are. */
export type HelloReading =
  /** A beginning of a ClientHello, or nothing yet: more bytes are needed. */
  | { readonly state: 'partial' }
  /**
   * A whole ClientHello. `serverName` is the name in its server_name extension, `undefined` only when it has none.
   * `hasEch`: it has an encrypted one inside, whose name may be another, or a decoy, which looks the same.
   */
  | { readonly state: 'hello', readonly serverName: HostName | undefined, readonly hasEch: boolean }
  /** No bytes that follow can make a ClientHello of it. */
  | { readonly state: 'not_tls', readonly problem: HelloProblem }

/** RFC 6066 §1.1. */
const serverNameType = 0
/** encrypted_client_hello, in IANA's list of TLS extensions. */
const encryptedHelloType = 0xfe0d

/** RFC 6066 §3: the length of the list, the type of its one entry, the length of the name. */
const serverNameHeaderBytes = 2 + 1 + 2
const hostNameEntry = 0
/** The longest that `canonicalHostName` takes, with its last dot. */
const maxNameBytes = 254

const partial: HelloReading = { state: 'partial' }

/** What has been seen in the extensions. */
interface Findings {
  serverName: HostName | undefined
  hasEch: boolean
}

/**
 * Reads one ClientHello of TLS 1.0 to 1.3 (RFC 8446 §4.1.2), in one record or many. What follows its last record is not
 * looked at. Never throws, and is to be called again with all bytes when there are more; a reading other than `partial`
 * stays what it is, whatever follows.
 *
 * A server_name extension in which there is anything else than one host name that the gateway can compare makes it
 * `unusable_name`, and not a hello without a name: what a server takes from such bytes may be a name that was not
 * checked. For the same reason all lengths must add up exactly. The letters of a name are judged when it is whole; all
 * else at the first byte that is impossible.
 */
export function readClientHello (bytes: Uint8Array): HelloReading {
  const reader = new HelloReader(bytes)
  const found: Findings = { serverName: undefined, hasEch: false }
  reader.begin()
  // legacy_version, of which the minor part was never the same for all, and random.
  reader.take(1, 3, 3)
  reader.skip(1 + 32)
  skipParameters(reader)
  if (reader.left > 0) {
    const length = reader.left - 2
    reader.take(2, length, length)
  }
  while (reader.left > 0 && reader.stop === undefined) readExtension(reader, found)
  if (reader.stop === 'partial') return partial
  if (reader.stop !== undefined) return { state: 'not_tls', problem: reader.stop }
  return { state: 'hello', serverName: found.serverName, hasEch: found.hasEch }
}

/** The session id, the cipher suites and the compression methods. */
function skipParameters (reader: HelloReader): void {
  // Behind the session id there are 6 bytes at least, behind the cipher suites 2.
  reader.skip(reader.take(1, 0, Math.min(32, reader.left - 1 - 6)))
  const suites = reader.take(2, 2, reader.left - 2 - 2)
  if (suites % 2 !== 0) reader.refuse('malformed')
  reader.skip(suites)
  const methods = reader.take(1, 1, reader.left - 1)
  const behind = reader.left - methods
  // Nothing, or the length of the extensions and then nothing or a whole one.
  if (behind === 1 || (behind > 2 && behind < 6)) reader.refuse('malformed')
  reader.skip(methods)
}

function readExtension (reader: HelloReader, found: Findings): void {
  const type = reader.take(2, 0, 0xffff)
  if (type === serverNameType) {
    readServerName(reader, found)
    return
  }
  if (type === encryptedHelloType) found.hasEch = true
  reader.skip(takeExtensionLength(reader, 0, reader.left - 2, 'malformed'))
}

function readServerName (reader: HelloReader, found: Findings): void {
  if (found.serverName !== undefined) reader.refuse('unusable_name')
  const longest = Math.min(serverNameHeaderBytes + maxNameBytes, reader.left - 2)
  const length = takeExtensionLength(reader, serverNameHeaderBytes + 1, longest, 'unusable_name')
  const listBytes = length - 2
  reader.take(2, listBytes, listBytes, 'unusable_name')
  reader.take(1, hostNameEntry, hostNameEntry, 'unusable_name')
  const nameBytes = length - serverNameHeaderBytes
  reader.take(2, nameBytes, nameBytes, 'unusable_name')
  const text = reader.text(nameBytes)
  if (reader.stop !== undefined) return
  found.serverName = canonicalHostName(text)
  if (found.serverName === undefined) reader.refuse('unusable_name')
}

/** Behind an extension there is nothing, or another one, which has 4 bytes at least. */
function takeExtensionLength (reader: HelloReader, least: number, most: number, problem: HelloProblem): number {
  const length = reader.take(2, least, most, problem)
  const behind = reader.left - length
  if (behind > 0 && behind < 4) reader.refuse('malformed')
  return length
}

/**
 * What a client is told in place of a ServerHello, by the numbers of RFC 8446 §6. What people then read, for
 * unrecognized_name and access_denied:
 *
 * - OpenSSL, so curl, Node and Python: `tlsv1 unrecognized name`, `tlsv1 alert access denied`
 * - Go, so docker, containerd, podman and skopeo: `remote error: tls: unrecognized name`, `… access denied`
 * - GnuTLS, so git: `The server name sent was not recognized`, `Access was denied`
 * - Java: `Received fatal alert: unrecognized_name`, `… access_denied`
 * - Chromium: `ERR_SSL_UNRECOGNIZED_NAME_ALERT`, `ERR_SSL_PROTOCOL_ERROR`
 */
const alerts = {
  handshake_failure: 40,
  access_denied: 49,
  internal_error: 80,
  unrecognized_name: 112,
} as const

export type AlertDescription = keyof typeof alerts

/** A record with a fatal alert, not encrypted; the connection is to be closed behind it (RFC 8446 §6). */
export function renderAlert (description: AlertDescription): Buffer {
  const alertRecord = 21
  const fatal = 2
  return Buffer.from([alertRecord, 3, 3, 0, 2, fatal, alerts[description]])
}
